"""The pictures: handles, store, probing, masks, previews, hosting and safe download.

``pipeline.py`` shows the way of an image through a job. Nothing here knows requests, providers or jobs.
"""
