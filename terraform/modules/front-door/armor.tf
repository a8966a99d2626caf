# Cloud Armor: a coarse shield. Who may do how much is counted in the application.

locals {
  # Only watched at first: prompts look like injections to rules made for forms. Read the logs
  # (previewSecurityPolicy), then take a rule out of preview.
  watched = {
    sqli            = "sqli-v33-stable"
    xss             = "xss-v33-stable"
    lfi             = "lfi-v33-stable"
    rce             = "rce-v33-stable"
    scannerdetect   = "scannerdetection-v33-stable"
    protocolattack  = "protocolattack-v33-stable"
    sessionfixation = "sessionfixation-v33-stable"
  }
  watched_names = sort(keys(local.watched))
}

resource "google_compute_security_policy" "this" {
  project     = var.project_id
  name        = "front-door"
  description = "Rules of the front door"

  advanced_options_config {
    json_parsing = "STANDARD"
    log_level    = "NORMAL"
  }

  adaptive_protection_config {
    layer_7_ddos_defense_config {
      enable = true
    }
  }

  rule {
    description = "Known holes of libraries such as Log4j"
    priority    = 1000
    action      = "deny(403)"
    match {
      expr {
        expression = "evaluatePreconfiguredExpr('cve-canary')"
      }
    }
  }

  dynamic "rule" {
    for_each = local.watched_names
    content {
      description = "Watched: ${rule.value}"
      priority    = 2000 + rule.key
      action      = "deny(403)"
      preview     = true
      match {
        expr {
          expression = "evaluatePreconfiguredWaf('${local.watched[rule.value]}', {'sensitivity': 1})"
        }
      }
    }
  }

  # Vendors send from few addresses, and prove who they are by a token or a signature.
  rule {
    description = "Vendors' webhooks"
    priority    = 3000
    action      = "throttle"
    match {
      expr {
        expression = "request.path.startsWith('/api/webhooks/')"
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = var.webhooks_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    description = "Everybody else"
    priority    = 4000
    action      = "throttle"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    description = "What no rule above decided; Google wants one"
    priority    = 2147483647
    action      = "allow"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}
