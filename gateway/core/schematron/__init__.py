"""Official Schematron: known by catalogue, run as compiled XSLT, answered as findings.

`catalogue` knows every artefact and its sum, `importing` brings in the one pack that no installed
package carries, `runner` compiles and runs, `svrl` reads what a run says, `locations` finds the
places it names, `inventory` lists the rules of a stylesheet for `edi-gateway rules`. `compiler`
rewrites stylesheets so that they run quicker: `skeleton` and `vocabulary` recognise those it may
touch, `matching` tells which nodes a rule can match.
"""
