# Who releases, and when: cloudbuild.yaml after a push, the tests after a pull request.

resource "google_cloudbuild_trigger" "release" {
  project            = var.project_id
  location           = var.region
  name               = "release"
  description        = "cloudbuild.yaml into ${var.environment}"
  filename           = "cloudbuild.yaml"
  service_account    = var.deployer_name
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"
  substitutions      = var.substitutions

  repository_event_config {
    repository = var.repository

    push {
      branch = var.approved ? null : "^main$"
      tag    = var.approved ? "^v[0-9]" : null
    }
  }

  approval_config {
    approval_required = var.approved
  }

  depends_on = [google_project_iam_member.deployer, google_service_account_iam_member.acts_as]
}

# What a stranger proposes runs as an account that may write its log and nothing else.
resource "google_cloudbuild_trigger" "checks" {
  count = var.checks ? 1 : 0

  project            = var.project_id
  location           = var.region
  name               = "checks"
  description        = "Every test, on pull requests"
  service_account    = var.checker_name
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"

  repository_event_config {
    repository = var.repository

    pull_request {
      branch          = "^main$"
      comment_control = "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"
    }
  }

  build {
    timeout = "3600s"

    step {
      id         = "terraform"
      name       = "hashicorp/terraform:1.11.4"
      entrypoint = "sh"
      args       = ["infra/release/terraform"]
    }

    step {
      id         = "test"
      name       = "python:3.13.5-bookworm"
      entrypoint = "bash"
      args       = ["infra/test"]
    }

    options {
      logging      = "CLOUD_LOGGING_ONLY"
      machine_type = "E2_HIGHCPU_8"
    }
  }

  depends_on = [google_project_iam_member.checker]
}

resource "google_project_iam_member" "checker" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = var.checker
}
