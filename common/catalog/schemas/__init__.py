"""The catalogue on the wire, one file per kind of reader."""
