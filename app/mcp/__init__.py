"""The desk's tools over the Model Context Protocol (`nightdesk mcp`), for a model that runs in a program of your own.

Started by app/cli/mcp.py. No model runs here and no agent is loaded (an import contract): a client calls tools, each call
passes the one door, tools.catalog.call, and is journaled. Answers are rendered by tools/common/render.py.
"""
