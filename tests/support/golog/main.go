// Posts records with Fluentd's own Go logger, and says how many posts came back without an error.
//
//	forward COUNT TAG CONFIG
//
// CONFIG is the logger's configuration as JSON. Record n is {"id": "TAG-n", "text": …}. With acks a post returns once it is acknowledged;
// without, closing sends what is still buffered.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/fluent/fluent-logger-golang/fluent"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	count, err := strconv.Atoi(os.Args[1])
	must(err)
	var config fluent.Config
	must(json.Unmarshal([]byte(os.Args[3]), &config))
	logger, err := fluent.New(config)
	must(err)
	done := 0
	for n := 0; n < count; n++ {
		record := map[string]interface{}{"id": fmt.Sprintf("%s-%d", os.Args[2], n), "text": "snow ☃", "nested": map[string]int{"a": n}}
		if err := logger.Post(os.Args[2], record); err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		done++
	}
	must(logger.Close())
	fmt.Printf("{\"sent\": %d, \"acked\": %d}\n", count, done)
}
