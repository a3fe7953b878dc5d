"""The page: photographs touched up in a browser, by a server that is on the user's own machine.

A thin layer over `opsin.Touchup`: each change of its words (model, vividness, points, palette,
strength) is one request, and its answer is the picture. The browser's part is plain HTML, CSS and
JavaScript in `static/`; nothing is fetched from anywhere else.

    limits     how much is taken, in one place
    refusal    a request that is not done, and why
    safety     who may ask: Host, Origin, headers of every answer
    opened     a photograph that is open: its file, its touchup, what can be undone
    sessions   what each browser has open, and what is let go
    job        all photographs of a session at their full size, one after the other
    together   what was made of them in one ZIP
    turns      two works at once, the others wait
    app        the routes
    serve      the server itself
"""
