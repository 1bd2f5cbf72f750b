//! What every Lambda's main shares: logs as JSON and error names that reach ErrorEquals.
