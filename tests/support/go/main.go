// Sends records with IBM's Go forward client until its input ends, a chunk at a time, each until it is acknowledged.
//
//	forward PORT NAME USERS EACH
//
// A chunk holds EACH records of each of USERS users, `NAMEu0` … Every record has its user's running number as `seq`. The client
// returns an error when no ack came, and a message keeps the chunk id that its first Send gave it: the same message is sent again,
// over a new connection, for as long as it takes. Prints the number of acknowledged chunks, a line each.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/client"
	"github.com/IBM/fluent-forward-go/fluent/protocol"
)

type loopback struct{ port string }

func (to loopback) New() (net.Conn, error) {
	return net.DialTimeout("tcp", "127.0.0.1:"+to.port, 5*time.Second)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func chunk(name string, users, each, sent int) *protocol.PackedForwardMessage {
	var entries protocol.EntryList
	for n := 0; n < each; n++ {
		for user := 0; user < users; user++ {
			record := map[string]any{"user": fmt.Sprintf("%su%d", name, user), "seq": sent*each + n + 1}
			entries = append(entries, protocol.EntryExt{Timestamp: protocol.EventTimeNow(), Record: record})
		}
	}
	made, err := protocol.NewPackedForwardMessage("go", entries)
	if err != nil {
		panic(err)
	}
	return made
}

func main() {
	port, name, users, each := os.Args[1], os.Args[2], number(os.Args[3]), number(os.Args[4])
	var stopping atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stopping.Store(true)
	}()
	line := client.New(client.ConnectionOptions{Factory: loopback{port}, RequireAck: true, ConnectionTimeout: 10 * time.Second})
	_ = line.Connect()
	for sent := 0; !stopping.Load(); {
		message := chunk(name, users, each, sent)
		for line.Send(message) != nil {
			time.Sleep(100 * time.Millisecond)
			_ = line.Reconnect() // an error shows at the next Send
		}
		sent++
		fmt.Println(sent)
		time.Sleep(2 * time.Millisecond)
	}
	_ = line.Disconnect()
}
