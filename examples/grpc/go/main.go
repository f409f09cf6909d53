// Sends records to pluginhost, then asks for a verdict: client ADDRESS COUNT
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "example/pluginhost/v1"
)

func connect(address string) (*grpc.ClientConn, error) {
	if ca := os.Getenv("PLUGINHOST_CA"); ca != "" {
		trusted, err := credentials.NewClientTLSFromFile(ca, "")
		if err != nil {
			return nil, err
		}
		return grpc.NewClient(address, grpc.WithTransportCredentials(trusted))
	}
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func known(ctx context.Context) context.Context {
	if token := os.Getenv("PLUGINHOST_TOKEN"); token != "" {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	return ctx
}

func batches(count, size int) (made []*pb.Batch, err error) {
	for start := 0; start < count; start += size {
		var records []map[string]any
		for n := start; n < min(start+size, count); n++ {
			records = append(records, map[string]any{"seq": n, "message": fmt.Sprintf("record %d of go", n)})
		}
		payload, err := json.Marshal(records)
		if err != nil {
			return nil, err
		}
		made = append(made, &pb.Batch{
			Sequence: uint64(len(made)), Tag: "example.go", Encoding: pb.Encoding_ENCODING_JSON, Payload: payload,
		})
	}
	return made, nil
}

// deliver sends the batches over one stream and gives back those whose ack did not come.
func deliver(client pb.IngestClient, batches []*pb.Batch) ([]*pb.Batch, error) {
	ctx, cancel := context.WithCancel(known(context.Background()))
	defer cancel()
	stream, err := client.Send(ctx)
	if err != nil {
		return batches, err
	}
	go func() {
		for _, batch := range batches {
			if stream.Send(batch) != nil {
				return // what went wrong is told to who receives
			}
		}
		_ = stream.CloseSend()
	}()
	for {
		ack, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return batches, nil
		} else if err != nil {
			return batches, err
		}
		fmt.Println("ack", ack.Sequence, ack.Accepted, ack.Rejected, ack.Error)
		batches = batches[1:] // they come in order
	}
}

func ask(client pb.AnalyzeClient, record any, tag string) (*pb.Judgement, error) {
	ctx, cancel := context.WithTimeout(known(context.Background()), 10*time.Second)
	defer cancel()
	payload, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	stream, err := client.Judge(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&pb.Batch{Tag: tag, Encoding: pb.Encoding_ENCODING_JSON, Payload: payload}); err != nil {
		return nil, err
	}
	return stream.Recv()
}

func run(address string, count int) error {
	connection, err := connect(address)
	if err != nil {
		return err
	}
	defer connection.Close()
	left, err := batches(count, 100)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		if left, err = deliver(pb.NewIngestClient(connection), left); err != nil {
			if status.Code(err) != codes.Unavailable {
				return err
			}
			time.Sleep(500 * time.Millisecond)
		}
	}
	login := map[string]any{
		"event": map[string]string{"category": "authentication", "outcome": "success"},
		"user":  map[string]string{"name": "alice"}, "source": map[string]string{"ip": "203.0.113.9"},
	}
	judgement, err := ask(pb.NewAnalyzeClient(connection), login, "app.login")
	if err != nil {
		return err
	}
	if judgement.Pending {
		fmt.Println("verdict pending")
	} else {
		fmt.Println("verdict", judgement.Action)
	}
	for _, one := range judgement.Verdicts {
		fmt.Println("because", one.Rule, one.Message)
	}
	return nil
}

func main() {
	count, err := strconv.Atoi(os.Args[2])
	if err == nil {
		err = run(os.Args[1], count)
	}
	if err != nil {
		log.Fatal(err)
	}
}
