"""What a model is and where it comes from: manifest, taxonomy, store, zoo, training. Imports no other floor."""
