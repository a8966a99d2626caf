"""Stand-ins for Firebase Authentication, in two modes.

Security tests: tokens that are really signed, verified by the production path (`mint`, `google`).
Platform and browsers: the sign-in calls of Firebase's clients, as its emulator answers them
(`server`); its tokens carry no signature and are worth something only where
FIREBASE_AUTH_EMULATOR_HOST is set.
"""
