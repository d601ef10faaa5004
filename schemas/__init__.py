"""What every table, array and record of a tracerlake is: names, types, units, meaning. No I/O."""
