"""Speaking to language models: calls, caps, transcripts. What is said is the team's matter."""
