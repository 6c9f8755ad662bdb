"""The local web page that repaints photographs, its HTTP API, and the same page without a server.
"""
