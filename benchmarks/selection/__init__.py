"""The proof that selection pays: tasks (data, model), the protocol that trains every arm alike, and the
figures drawn from it.
"""
