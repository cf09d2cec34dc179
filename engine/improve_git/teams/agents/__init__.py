"""The team of agents on a language model: prompts, the evidence in them, and what is replied."""
