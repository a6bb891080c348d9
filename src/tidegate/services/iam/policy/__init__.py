"""
The policy language: documents parsed once into a form that is quick to ask, and the rules by which they are asked.

Pure: it knows no store, no service and no clock; what a request is like comes in as values.

    pattern     wildcards and policy variables
    conditions  the operators of a Condition element
    principals  whom a trust policy names
    document    from a document's text to statements
    decision    from statements to yes or no, and why

Source: IAM user guide, "IAM JSON policy element reference" and "Policy evaluation logic".
"""
