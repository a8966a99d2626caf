# Identity Platform of one Firebase project: who may sign in, and from where. Consumers and
# developers have a project each, so a token of the one is nothing to the other.

resource "google_project_service" "this" {
  project            = var.project_id
  service            = "identitytoolkit.googleapis.com"
  disable_on_destroy = false
}

resource "google_identity_platform_config" "this" {
  project                    = var.project_id
  authorized_domains         = var.domains
  autodelete_anonymous_users = true

  sign_in {
    allow_duplicate_emails = false

    anonymous {
      enabled = false
    }

    email {
      enabled           = true
      password_required = true
    }
  }

  mfa {
    state = "ENABLED"

    provider_configs {
      state = "ENABLED"

      totp_provider_config {
        adjacent_intervals = 1
      }
    }
  }

  client {
    permissions {
      disabled_user_signup   = false
      disabled_user_deletion = true # an account holds credits: it ends through the API
    }
  }

  monitoring {
    request_logging {
      enabled = true
    }
  }

  depends_on = [google_project_service.this]
}
