"""The one module that speaks to LLM providers, through litellm."""
