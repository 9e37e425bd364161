/// A dimension that is a table: the rules by the sets of values that they admit.
struct ValueClasses {
  private let valueCount: Int
  private var numbers: [ValueSet: Int] = [:]
  private var sets: [(values: ValueSet, positions: [UInt32])] = []
  private var keys: [UInt32: Int] = [:]
  // Most rules in a row ask for the same.
  private var last: (set: ValueSet, number: Int)?

  init(valueCount: Int) { self.valueCount = valueCount }

  var isUsed: Bool { !sets.isEmpty }

  mutating func add(_ position: UInt32, _ set: ValueSet) {
    sets[number(of: set)].positions.append(position)
  }

  /// The same for a set that a number stands for.
  mutating func add(_ position: UInt32, key: UInt32, _ set: () -> ValueSet) {
    if let known = keys[key] { return sets[known].positions.append(position) }
    let number = number(of: set())
    keys[key] = number
    sets[number].positions.append(position)
  }

  private mutating func number(of set: ValueSet) -> Int {
    if let last, last.set == set { return last.number }
    let number = numbers[set] ?? sets.count
    if number == sets.count {
      numbers[set] = number
      sets.append((set, []))
    }
    last = (set, number)
    return number
  }

  /// - Returns: Where the table is.
  func write(_ vectors: inout VectorWriter, _ writer: inout ImageWriter) -> UInt32 {
    var rest = vectors.all
    for set in sets { rest.flip(set.positions) }
    let base = vectors.base(rest, &writer)
    var classes: [[Int]: UInt32] = [:]
    let table = writer.allocate((valueCount + 1) / 2)
    for value in 0..<valueCount {
      let members = sets.indices.filter { sets[$0].values.contains(value) }
      let known = classes[members]
      let place: UInt32
      if let known {
        place = known
      } else {
        var words = rest
        for member in members { words.flip(sets[member].positions) }
        place = vectors.write(words, near: base, &writer)
        classes[members] = place
      }
      writer.storeHalf(place, at: 2 * table + value)
    }
    return UInt32(table)
  }
}

extension [UInt64] {
  /// Of a vector of positions; those that have no bit stay out.
  mutating func flip(_ positions: [UInt32]) {
    for position in positions where position < ImageLayout.positionLimit {
      self[Int(position >> 6)] ^= 1 << UInt64(position & 63)
    }
  }
}
