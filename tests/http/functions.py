"""The route tables of all functions."""

from common.http import App
from functions.admin.main import app as admin
from functions.callback.main import app as callback
from functions.cleanup.main import app as cleanup
from functions.marketplace.main import app as marketplace
from functions.payments.main import app as payments
from functions.studio.main import app as studio
from functions.tasks.main import app as tasks

APPS: dict[str, App] = {
    app.name: app for app in (admin, callback, cleanup, marketplace, payments, studio, tasks)
}
