"""What types with keys and values share: text keys in the store, the messages of batches, and the forms of answers.

A library without routes: `keyvalue` and `neuronjson` compose from it.
"""
