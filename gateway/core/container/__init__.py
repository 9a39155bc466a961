"""What was received → the documents in it.

kinds      what a file is, by its first bytes
document   one payload that is one document: XML as it is, or the XML inside a PDF
"""
