output "ids" {
  description = "Each repository's resource name, once its writer may write"
  value       = { for name, it in google_artifact_registry_repository.this : name => "projects/${it.project}/locations/${it.location}/repositories/${it.repository_id}" }
  depends_on  = [google_artifact_registry_repository_iam_member.writer]
}

output "hosts" {
  description = "Each repository as docker names it"
  value       = { for name, it in google_artifact_registry_repository.this : name => "${it.location}-docker.pkg.dev/${it.project}/${it.repository_id}" }
}
