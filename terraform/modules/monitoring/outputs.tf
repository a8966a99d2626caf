output "alerts" {
  description = "Each alert's title, by the name of its runbook"
  value       = merge({ for name, it in google_monitoring_alert_policy.this : name => it.display_name }, { for name, it in google_monitoring_alert_policy.burn : name => it.display_name })
}
