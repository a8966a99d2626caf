# The one origin: an external HTTPS load balancer that sends each path to its function, after the
# table that the local gateway reads too, and everything else to the web pages.

locals {
  # Without a domain of its own an installation is found under its address's name at a public DNS
  # service. That is for development: whoever runs the service could lead visitors elsewhere.
  host = coalesce(var.domain, "${replace(google_compute_global_address.this.address, ".", "-")}.sslip.io")
  # Written from their parts: the same as .id, but known before anything is made, so that a plan says
  # where each path leads.
  groups   = { for name, it in google_compute_region_network_endpoint_group.function : name => "projects/${it.project}/regions/${it.region}/networkEndpointGroups/${it.name}" }
  backends = { for name, it in google_compute_backend_service.function : name => "projects/${it.project}/global/backendServices/${it.name}" }
  web      = "projects/${google_compute_backend_bucket.web.project}/global/backendBuckets/${google_compute_backend_bucket.web.name}"
  prefixes = { for name in toset(values(var.routes)) : name => [for prefix, it in var.routes : prefix if it == name] }
}

resource "google_compute_global_address" "this" {
  project = var.project_id
  name    = "front-door"
}

resource "google_compute_region_network_endpoint_group" "function" {
  for_each = var.services

  project               = var.project_id
  region                = var.region
  name                  = "function-${each.key}"
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = each.value
  }
}

resource "google_compute_backend_service" "function" {
  for_each = var.services

  project               = var.project_id
  name                  = "function-${each.key}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.this.id

  backend {
    group = local.groups[each.key]
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_backend_bucket" "web" {
  project     = var.project_id
  name        = "web"
  bucket_name = var.web_bucket
  enable_cdn  = true

  custom_response_headers = [
    "Strict-Transport-Security: max-age=31536000; includeSubDomains",
    "X-Content-Type-Options: nosniff",
    "Referrer-Policy: strict-origin-when-cross-origin",
  ]

  cdn_policy {
    cache_mode  = "USE_ORIGIN_HEADERS"
    default_ttl = 0
    client_ttl  = 0
    max_ttl     = 0
  }
}

resource "google_compute_url_map" "https" {
  project         = var.project_id
  name            = "front-door"
  default_service = local.web

  host_rule {
    hosts        = ["*"]
    path_matcher = "front-door"
  }

  path_matcher {
    name            = "front-door"
    default_service = local.web

    dynamic "path_rule" {
      for_each = local.prefixes
      content {
        paths   = flatten([for prefix in path_rule.value : [prefix, "${prefix}/*"]])
        service = local.backends[path_rule.key]
      }
    }
  }

  # Google refuses a map that fails these.
  dynamic "test" {
    for_each = var.routes
    content {
      host    = "front-door.test"
      path    = "${test.key}/anything"
      service = local.backends[test.value]
    }
  }
}

resource "google_compute_url_map" "http" {
  project = var.project_id
  name    = "front-door-http"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_managed_ssl_certificate" "this" {
  project = var.project_id
  name    = "front-door-${substr(sha256(local.host), 0, 8)}"

  managed {
    domains = [local.host]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_ssl_policy" "this" {
  project         = var.project_id
  name            = "front-door"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_target_https_proxy" "this" {
  project          = var.project_id
  name             = "front-door"
  url_map          = google_compute_url_map.https.id
  ssl_certificates = [google_compute_managed_ssl_certificate.this.id]
  ssl_policy       = google_compute_ssl_policy.this.id
}

resource "google_compute_target_http_proxy" "this" {
  project = var.project_id
  name    = "front-door-http"
  url_map = google_compute_url_map.http.id
}

resource "google_compute_global_forwarding_rule" "this" {
  for_each = {
    https = { port = "443", target = google_compute_target_https_proxy.this.id }
    http  = { port = "80", target = google_compute_target_http_proxy.this.id }
  }

  project               = var.project_id
  name                  = "front-door-${each.key}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this.id
  port_range            = each.value.port
  target                = each.value.target
}
