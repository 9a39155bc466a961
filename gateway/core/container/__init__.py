"""What was received → the documents in it.

kinds          what a file is, by its first bytes
document, pdf  one payload that is one document: XML as it is, or the XML inside a PDF (`xmp`: what
               its metadata say)

archive        many documents in one: tar.gz, tar, ZIP → a folder of documents and a manifest
streams        the bytes in it, decompressed in bounds
tar_entries    the files in a tar, one after the other
zip_entries    the files in a ZIP, by its directory (`zip_directory`)
entries        what both give, the limits, and how they say that something is wrong
names          what a file in an archive may be called
contents       what it is: document, attachment, signature
beside         which document an attachment or signature goes with
manifest       the list of everything that was found
"""
