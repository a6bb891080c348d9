"""
The data channel of sessions: one protocol between whoever asks for a shell and the container that gives it.

It is that of AWS Systems Manager, which the session-manager-plugin speaks: binary messages over a WebSocket, numbered,
acknowledged and repeated. Both sides are here, as the command line needs the one and the server the other. Knows no
task, no WebSocket library and no clock but the one it is given.
"""
