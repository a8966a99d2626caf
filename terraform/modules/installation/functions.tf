# The functions, one row each: how much each may take, and what it is told, may read and may do.
# A row names groups of settings (below) and secrets; tests hold both against common/needs.py.

locals {
  functions = {
    marketplace = {
      description = "Consumers: browse, buy credits, run, read results"
      public      = true, concurrency = 16, warm = 1, max = 20, timeout = 120, memory = "512Mi"
      settings    = ["consumers", "runs", "uploads", "pages"]
      secrets     = ["runpod-api-key", "stripe-secret-key"]
      roles       = ["sets_alarms", "keeps_results"]
    }
    studio = {
      description = "Developers: models, test runs, earnings and payouts"
      public      = true, concurrency = 16, warm = 0, max = 5, timeout = 180, memory = "512Mi"
      settings    = ["developers", "runs", "pages"]
      secrets     = ["runpod-api-key", "stripe-secret-key"]
      roles       = ["sets_alarms", "keeps_results"]
    }
    admin = {
      description = "Staff: catalogue, refunds and grants, audit"
      public      = true, concurrency = 8, warm = 0, max = 3, timeout = 60, memory = "512Mi"
      settings    = ["developers", "pages"]
      secrets     = ["stripe-secret-key"]
      roles       = []
    }
    callback = {
      description = "RunPod's webhooks: finishes runs"
      public      = true, concurrency = 16, warm = 1, max = 10, timeout = 60, memory = "512Mi"
      settings    = ["runs"]
      secrets     = ["runpod-api-key"]
      roles       = ["sets_alarms", "keeps_results"]
    }
    payments = {
      description = "Stripe's webhooks: purchases, disputes, payouts"
      public      = true, concurrency = 8, warm = 0, max = 3, timeout = 60, memory = "512Mi"
      settings    = []
      secrets     = ["stripe-secret-key", "stripe-webhook-secrets", "stripe-connect-webhook-secrets"]
      roles       = []
    }
    tasks = {
      description = "Cloud Tasks' alarms: submit, poll, time out, deliver"
      public      = false, concurrency = 16, warm = 0, max = 10, timeout = 120, memory = "512Mi"
      settings    = ["internal", "runs"]
      secrets     = ["runpod-api-key"]
      roles       = ["sets_alarms", "keeps_results"]
    }
    cleanup = {
      description = "Cloud Scheduler's sweeps: what anything else left behind"
      public      = false, concurrency = 8, warm = 0, max = 2, timeout = 540, memory = "512Mi"
      settings    = ["internal", "runs", "cleanup"]
      secrets     = ["runpod-api-key", "runpod-management-key", "stripe-secret-key"]
      roles       = ["sets_alarms", "keeps_results"]
    }
  }
  pool_size = 4

  sizes = {
    for name, it in local.functions : name => {
      memory          = it.memory
      concurrency     = it.concurrency
      timeout_seconds = it.timeout
      min_instances   = var.size.keep_warm ? it.warm : 0
      max_instances   = min(it.max, var.size.most_instances)
      pool_size       = local.pool_size
    }
  }

  # Which queue a kind of alarm goes to is settled in common/gateways/tasks.py. Most alarms are polls.
  queue_prefix = "executions"
  queues = {
    submit  = { per_second = 100, share = 0.2 }
    poll    = { per_second = 500, share = 0.5 }
    timeout = { per_second = 100, share = 0.1 }
    deliver = { per_second = 100, share = 0.2 }
  }

  # Each route of functions/cleanup and its rhythm; the hourly ones keep out of each other's way.
  jobs = {
    sweep     = "* * * * *"
    cancels   = "* * * * *"
    payments  = "* * * * *"
    reconcile = "10 * * * *"
    audit     = "40 * * * *"
    endpoints = "55 * * * *"
  }

  everybodys_settings = {
    ENVIRONMENT        = var.environment
    LOG_LEVEL          = "INFO"
    CORS_ORIGINS       = local.origin # and whose pages may call more, below
    GCP_PROJECT        = var.place.project_id
    CLOUD_SQL_INSTANCE = module.database.connection_name
    DB_NAME            = module.database.database_name
  }
  settings = {
    consumers = {
      FIREBASE_USERS_PROJECT = module.sign_in["users"].project_id
      CORS_ORIGINS           = join("|", local.origins.consumers)
    }
    developers = merge(
      {
        FIREBASE_DEVELOPERS_PROJECT = module.sign_in["developers"].project_id
        CORS_ORIGINS                = join("|", local.origins.developers)
      },
      length(var.admin_uids) > 0 ? { ADMIN_UIDS = join("|", var.admin_uids) } : {},
    )
    # Where people come back to from Stripe, and where else they may be sent.
    pages = {
      MARKET_URL = local.origin
      STUDIO_URL = local.origin
    }
    runs = {
      PUBLIC_URL       = local.origin
      GCP_REGION       = var.place.region
      TASKS_QUEUE      = local.queue_prefix
      TASKS_TARGET_URL = local.internal_urls.tasks
      INVOKER_EMAIL    = module.service_accounts.emails.task-invoker
      OUTPUT_BUCKET    = module.outputs.name
      TRACE_SHARE      = tostring(var.size.trace_share)
    }
    uploads = {
      UPLOAD_BUCKET = module.uploads.name
    }
    internal = {
      PRIVATE_SERVICE = "true"
      INVOKER_EMAIL   = module.service_accounts.emails.task-invoker
    }
    cleanup = {
      CLEANUP_TARGET_URL = local.internal_urls.cleanup
    }
  }

  # Google's own address of a service can be told before it is there, so that a function can know
  # its own: it is the audience of the tokens that it takes.
  internal_urls = {
    for name in ["tasks", "cleanup"] : name => "https://tarsify-${name}-${var.place.project_number}.${var.place.region}.run.app"
  }
}
