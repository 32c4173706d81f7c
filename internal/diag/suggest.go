package diag

// Suggest returns the candidate that was probably meant by name, or "". A
// candidate counts when at most a third of its characters differ (edits and
// swaps of neighbours), or else when it begins like name: with at least three
// characters and half of its own, such as retry for retires.
func Suggest(name string, candidates []string) string {
	best, bestDistance := "", 1<<30
	for _, c := range candidates {
		d := distance(name, c)
		if d < bestDistance && d <= max(1, len(c)/3) && d < max(len(c), len(name)) {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range candidates {
		const least = 3
		prefix := commonPrefix(name, c)
		if prefix < least || 2*prefix < len(c) {
			continue
		}
		if d := distance(name, c); d < bestDistance || d == bestDistance && len(c) < len(best) {
			best, bestDistance = c, d
		}
	}
	return best
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// DidYouMean is [Suggest] as a hint, or "".
func DidYouMean(name string, candidates []string) string {
	if s := Suggest(name, candidates); s != "" {
		return `did you mean "` + s + `"?`
	}
	return ""
}

const maxSuggestLength = 64

// distance is the optimal string alignment distance.
func distance(a, b string) int {
	if len(a) > maxSuggestLength || len(b) > maxSuggestLength {
		return 1 << 29
	}
	x, y := []rune(a), []rune(b)
	prev2, prev, cur := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(y)]
}
