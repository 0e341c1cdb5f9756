"""Where rows come from. `registry` opens an input; each kind of input is a `base.RowSource`."""
