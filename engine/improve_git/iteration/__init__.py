"""What one iteration is made of: briefing, trial, measurement, verdict."""
