// A chain of frames with known values (the comments `known:`, as in truth.h; d is the frame's number); the last dies.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

type Point struct {
	X, Y int16
	Name string
}

type Shape interface{ Area() float64 }

type Square struct{ Side float64 }

func (s Square) Area() float64 { return s.Side * s.Side }

var Counter int32 = 4242  // global: main.Counter = 4242
var Title = "a title"     // global: main.Title = "a title"

//go:noinline
func scalars(depth int) int {
	var small int8 = int8(-depth)                        // known: small = -d
	var byteValue uint8 = uint8(200 + depth)             // known: byteValue = 200 + d
	var number int32 = -2000000000 + int32(depth)        // known: number = -2000000000 + d
	var large int64 = -9000000000000000000 + int64(depth) // known: large = -9000000000000000000 + d
	var unsigned uint64 = 18000000000000000000 + uint64(depth) // known: unsigned = 18000000000000000000 + d
	var truth bool = depth%2 == 1                        // known: truth = d % 2 == 1
	var single float32 = 0.5 + float32(depth)            // known: single = 0.5 + d
	var double float64 = float64(depth) * -1e100         // known: double = d * -1e100
	var complexValue complex128 = complex(float64(depth), 2)
	result := containers(depth + 1)
	runtime.KeepAlive(&small)
	fmt.Fprint(sink, small, byteValue, number, large, unsigned, truth, single, double, complexValue)
	return result + int(Counter)
}

//go:noinline
func containers(depth int) int {
	text := fmt.Sprintf("text %d", depth)            // known: text = "text %d" % d
	empty := ""                                      // known: empty = ""
	numbers := []int{depth, 2, 3}                    // known: numbers = [d, 2, 3]
	words := []string{"one", "two"}                  // known: words = ["one", "two"]
	part := numbers[1:2]                             // known: part = [2]
	array := [3]uint16{uint16(depth), 5, 6}          // known: array = [d, 5, 6]
	ages := map[string]int{"ann": depth, "bob": 7}   // known: ages = {'"ann"': d, '"bob"': 7}
	many := map[int]int{}                            // known: many = {str(i): i * 2 for i in range(4, 100)}
	for index := 0; index < 100; index++ {
		many[index] = index * 2
	}
	for index := 0; index < 4; index++ {
		delete(many, index)
	}
	wide := map[[20]int]int{{depth}: depth}          // known: wide = {str([d] + [0] * 19).replace("[", "{").replace("]", "}"): d}
	point := Point{int16(depth), -5, "p"}            // known: point.X = d
	pointer := &point                                // known: pointer.Y = -5
	factor := func(by int) int { return by * depth } // known: factor = "<main.containers.func1>"
	title := strings.ToUpper                         // known: title = "<strings.ToUpper>"
	var noFunction func()                            // known: noFunction = "nil"
	var none map[string]int
	var missing []int
	result := interfaces(depth + 1)
	fmt.Fprint(sink, factor(2), title("x"), noFunction == nil)
	fmt.Fprint(sink, Title, text, empty, numbers, words, part, array, ages, many, wide, point, pointer, none, missing)
	return result
}

//go:noinline
func interfaces(depth int) int {
	var failure error = errors.New("broken")  // known: failure = "broken"
	var shape Shape = Square{float64(depth)}  // known: shape = d * 1.0
	var anything interface{} = depth * 3      // known: anything = 3 * d
	var pointing interface{} = &Point{1, 2, "q"}
	var nothing error
	channel := make(chan int, 4)
	channel <- 1
	function := func() int { return depth }
	result := 0
	if depth >= 48 {
		// On this goroutine's own stack: a panic would end the program on the scheduler's.
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 2, 0, 0)
	} else {
		result = scalars(depth + 1)
	}
	fmt.Fprint(sink, failure, shape, anything, pointing, nothing, channel, function())
	return result
}

var sink = os.Stdout

func main() { fmt.Println(scalars(len(os.Args) - 1)) }
