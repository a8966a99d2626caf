"""The steps of a release, each a script that runs anywhere; cloudbuild.yaml puts them in order."""
