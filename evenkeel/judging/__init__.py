"""Sampled texts judged: with which group does a text associate its item, and is the judge right?"""
