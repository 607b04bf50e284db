"""Live updates over Socket.IO, for browsers and programs that have its client.

python-socketio speaks the protocol, over long polling and over WebSockets; what is sent comes from
`gateway.live`. Responses under `/socket.io/` have the form of Engine.IO.
"""
