package supervised

// regie is a Regie that is killed.
func regie(string) int { return 1 }
