module pluginhost.test/forward

go 1.18

require github.com/IBM/fluent-forward-go v0.3.0

require (
	github.com/google/uuid v1.3.0 // indirect
	github.com/gorilla/websocket v1.4.2 // indirect
	github.com/philhofer/fwd v1.1.2 // indirect
	github.com/tinylib/msgp v1.1.9 // indirect
)
