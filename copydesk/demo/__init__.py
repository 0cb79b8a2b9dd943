"""The whole wheel in one command: press, scraper, titles, scores, a scripted curator, training, gate, swap."""
