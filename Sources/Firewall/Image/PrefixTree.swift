/// Finds the longest of some prefixes that holds an address, and so its class, by a binary search over their lengths
/// (Waldvogel, Varghese, Turner, Plattner 1997): a node has a hash table of the prefixes of one length; and of the
/// beginnings of longer ones, which say to look there.
struct PrefixTree<Value: PrefixValue> {
  struct Toggle {
    let value: Value
    let length: UInt8
    /// Matches within the prefix if it does not around it, and the other way round.
    let position: UInt32
  }

  var toggles: [Toggle] = []

  struct Entry {
    let value: Value
    let place: UInt32
    var hasLonger = false
  }

  /// A prefix that holds those that follow.
  private struct Frame {
    let value: Value
    let length: UInt8
    let changes: Range<Int>
    let base: VectorWriter.Base
    let place: UInt32

    func holds(_ other: Value, _ otherLength: UInt8) -> Bool {
      length <= otherLength && (value ^ other) & .mask(length) == 0
    }
  }

  /// - Parameters:
  ///   - base: The class outside of all prefixes.
  ///   - mask: Instead of prefixes, values under this one; all have the full length.
  /// - Returns: The class of what no prefix holds, and the first node.
  func write(
    _ base: VectorWriter.Base, _ vectors: inout VectorWriter, mask: Value?, _ writer: inout ImageWriter
  ) -> (other: UInt32, node: UInt32) {
    let toggles = toggles.sorted {
      $0.value != $1.value
        ? $0.value < $1.value : $0.length != $1.length ? $0.length < $1.length : $0.position < $1.position
    }
    let starts = toggles.indices.filter {
      $0 == 0 || toggles[$0].value != toggles[$0 - 1].value || toggles[$0].length != toggles[$0 - 1].length
    }
    let ends = starts.dropFirst() + [toggles.count]
    let sizes = Self.sizes(starts.map { toggles[$0] })
    var changes: [VectorWriter.Change] = []
    var frames: [Frame] = []
    var search = LengthSearch<Value>(Set(starts.map { toggles[$0].length }).subtracting([0]))

    var other: UInt32?
    for (node, (start, end)) in zip(starts, ends).enumerated() {
      let (value, length) = (toggles[start].value, toggles[start].length)
      if other == nil, length > 0 { other = pushRoot(base, &vectors, &frames, &writer) }
      while frames.count > 1, let last = frames.last, !last.holds(value, length) {
        changes.removeSubrange(last.changes.lowerBound...)
        frames.removeLast()
      }
      let around = frames.last?.changes ?? 0..<0
      var ownBase = frames.last?.base ?? base
      let first = changes.count
      Self.merge(around, toggles[start..<end], into: &changes)
      if vectors.depth == .groups, (changes.count - first) * (sizes[node] + 1) > vectors.baseSize * 2 {
        var words = ownBase.words
        for change in changes[first...] { words[Int(change.word)] ^= change.bits }
        ownBase = vectors.base(words, &writer)
        changes.removeSubrange(first...)
      }
      let place = vectors.write(ownBase, changes[first...], &writer)
      let frame = Frame(
        value: value, length: length, changes: first..<changes.count, base: ownBase, place: place)
      if length == 0 {
        other = place
      } else {
        search.add(value, length, place) { limit in
          frames.last { $0.length <= limit }?.place ?? place
        }
      }
      frames.append(frame)
    }
    if other == nil { other = pushRoot(base, &vectors, &frames, &writer) }
    return (other ?? 0, search.write(mask: mask, &writer))
  }

  private func pushRoot(
    _ base: VectorWriter.Base, _ vectors: inout VectorWriter, _ frames: inout [Frame],
    _ writer: inout ImageWriter
  ) -> UInt32 {
    let place = vectors.write(base, [], &writer)
    frames.append(Frame(value: 0, length: 0, changes: 0..<0, base: base, place: place))
    return place
  }

  /// How many prefixes lie in each.
  private static func sizes(_ prefixes: [Toggle]) -> [Int] {
    var sizes = [Int](repeating: 0, count: prefixes.count)
    var open: [Int] = []
    func close() {
      let last = open.removeLast()
      if let around = open.last { sizes[around] += sizes[last] + 1 }
    }
    for (index, prefix) in prefixes.enumerated() {
      while let last = open.last,
        prefixes[last].length > prefix.length
          || (prefixes[last].value ^ prefix.value) & .mask(prefixes[last].length) != 0
      {
        close()
      }
      open.append(index)
    }
    while !open.isEmpty { close() }
    return sizes
  }

  /// Appends the changes in a range, with some positions' bits changed.
  private static func merge(
    _ around: Range<Int>, _ toggles: ArraySlice<Toggle>, into changes: inout [VectorWriter.Change]
  ) {
    var next = around.lowerBound
    var toggle = toggles.startIndex
    while next < around.upperBound || toggle < toggles.endIndex {
      let word = toggle < toggles.endIndex ? toggles[toggle].position >> 6 : .max
      if next < around.upperBound, changes[next].word < word {
        changes.append(changes[next])
        next += 1
        continue
      }
      var bits: UInt64 = 0
      if next < around.upperBound, changes[next].word == word {
        bits = changes[next].bits
        next += 1
      }
      while toggle < toggles.endIndex, toggles[toggle].position >> 6 == word {
        bits ^= 1 << UInt64(toggles[toggle].position & 63)
        toggle += 1
      }
      if bits != 0 { changes.append(VectorWriter.Change(word: word, bits: bits)) }
    }
  }
}

/// The nodes of a ``PrefixTree``.
struct LengthSearch<Value: PrefixValue> {
  private struct Node {
    let length: UInt8
    var longer: Int?
    var shorter: Int?
    var entries: [PrefixTree<Value>.Entry] = []
  }

  private var nodes: [Node] = []
  /// By length, the nodes from the first one to that of the length, as far as they are not longer.
  private var ways: [[Int]]

  init(_ lengths: Set<UInt8>) {
    ways = [[Int]](repeating: [], count: Value.bitWidth + 1)
    _ = divide(lengths.sorted()[...], [])
  }

  private mutating func divide(_ lengths: ArraySlice<UInt8>, _ way: [Int]) -> Int? {
    guard !lengths.isEmpty else { return nil }
    let middle = (lengths.startIndex + lengths.endIndex) / 2
    let number = nodes.count
    nodes.append(Node(length: lengths[middle]))
    ways[Int(lengths[middle])] = way + [number]
    let shorter = divide(lengths[..<middle], way)
    let longer = divide(lengths[(middle + 1)...], way + [number])
    (nodes[number].shorter, nodes[number].longer) = (shorter, longer)
    return number
  }

  /// Prefixes come each before those that lie in it, so that equal entries of a node come one after the other.
  ///
  /// - Parameter best: The class of the longest prefix of at most a length that holds this one.
  mutating func add(_ value: Value, _ length: UInt8, _ place: UInt32, best: (UInt8) -> UInt32) {
    let way = ways[Int(length)]
    for number in way {
      let nodeLength = nodes[number].length
      if nodeLength == length {
        nodes[number].entries.append(.init(value: value, place: place))
        continue
      }
      let beginning = value & .mask(nodeLength)
      let last = nodes[number].entries.count - 1
      if last >= 0, nodes[number].entries[last].value == beginning {
        nodes[number].entries[last].hasLonger = true
      } else {
        nodes[number].entries.append(.init(value: beginning, place: best(nodeLength), hasLonger: true))
      }
    }
  }

  /// - Returns: The first node, 0 where there is none.
  func write(mask: Value?, _ writer: inout ImageWriter) -> UInt32 {
    guard !nodes.isEmpty else { return 0 }
    let places = nodes.map { _ in UInt32(writer.allocate(Value.nodeSize)) }
    for (node, place) in zip(nodes, places) {
      Value.writeNode(
        at: Int(place), mask: mask ?? .mask(node.length), node.entries,
        longer: node.longer.map { places[$0] } ?? 0, shorter: node.shorter.map { places[$0] } ?? 0, &writer)
    }
    return places[0]
  }
}

/// What prefixes are of: 32 bits or 128.
protocol PrefixValue: FixedWidthInteger, UnsignedInteger, Sendable {
  static var nodeSize: Int { get }
  static func writeNode(
    at place: Int, mask: Self, _ entries: [PrefixTree<Self>.Entry], longer: UInt32, shorter: UInt32,
    _ writer: inout ImageWriter)
}

extension PrefixValue {
  /// Where in a table of 2ⁿ places each entry goes, or nil where one would lie too far from its own place.
  static func places(
    _ entries: [PrefixTree<Self>.Entry], bits: Int, _ hash: (Self, Int) -> Int
  ) -> [Int]? {
    let room = 1 << bits + ImageLayout.Entry.probes - 1
    var taken = [Bool](repeating: false, count: room)
    var places: [Int] = []
    places.reserveCapacity(entries.count)
    for entry in entries {
      let own = hash(entry.value, bits)
      guard let place = (own..<own + ImageLayout.Entry.probes).first(where: { !taken[$0] }) else {
        return nil
      }
      taken[place] = true
      places.append(place)
    }
    return places
  }

  static func chooseTable(
    _ entries: [PrefixTree<Self>.Entry], _ hash: (Self, Int) -> Int
  ) -> (bits: Int, places: [Int]) {
    var bits = Swift.max(2, Int.bitWidth - (entries.count * 2 - 1).leadingZeroBitCount)
    while true {
      if let found = places(entries, bits: bits, hash) { return (bits, found) }
      bits += 1
    }
  }
}

extension PrefixTree.Entry {
  /// The half of an entry that says what it is.
  var meaning: UInt32 { place | (hasLonger ? ImageLayout.Entry.hasLonger : 0) }
}

extension UInt32: PrefixValue {
  static var nodeSize: Int { ImageLayout.Node.size32 }

  static func writeNode(
    at place: Int, mask: UInt32, _ entries: [PrefixTree<UInt32>.Entry], longer: UInt32, shorter: UInt32,
    _ writer: inout ImageWriter
  ) {
    let (bits, places) = chooseTable(entries) { value, bits in
      Int((value &* ImageLayout.multiplier32) >> UInt32(32 - bits))
    }
    let table = writer.allocate(1 << bits + ImageLayout.Entry.probes - 1)
    for (entry, index) in zip(entries, places) { writer.store(entry.value, entry.meaning, at: table + index) }
    writer.store(mask, UInt32(table), at: place + ImageLayout.Node.mask32)
    writer.store(UInt32(32 - bits), ImageLayout.multiplier32, at: place + ImageLayout.Node.hash32)
    writer.store(longer, shorter, at: place + ImageLayout.Node.next32)
  }
}

extension UInt128: PrefixValue {
  static var nodeSize: Int { ImageLayout.Node.size128 }

  static func writeNode(
    at place: Int, mask: UInt128, _ entries: [PrefixTree<UInt128>.Entry], longer: UInt32, shorter: UInt32,
    _ writer: inout ImageWriter
  ) {
    let (bits, places) = chooseTable(entries) { value, bits in
      Int(imageHash(value.high, value.low) >> UInt64(64 - bits))
    }
    let size = ImageLayout.Entry.size128
    let table = writer.allocate((1 << bits + ImageLayout.Entry.probes - 1) * size)
    for (entry, index) in zip(entries, places) {
      writer.store(entry.value.high, at: table + index * size)
      writer.store(entry.value.low, at: table + index * size + 1)
      writer.store(entry.meaning, 0, at: table + index * size + 2)
    }
    writer.store(mask.high, at: place + ImageLayout.Node.mask128)
    writer.store(mask.low, at: place + ImageLayout.Node.mask128 + 1)
    writer.store(UInt32(64 - bits), UInt32(table), at: place + ImageLayout.Node.hash128)
    writer.store(longer, shorter, at: place + ImageLayout.Node.next128)
  }
}

extension UInt128 {
  var high: UInt64 { UInt64(truncatingIfNeeded: self >> 64) }
  var low: UInt64 { UInt64(truncatingIfNeeded: self) }
}

/// Of a masked value of 128 bits; the upper bits are the ones to take.
@inline(__always)
func imageHash(_ high: UInt64, _ low: UInt64) -> UInt64 {
  let mixed = high &* ImageLayout.multiplierHigh ^ low &* ImageLayout.multiplierLow
  return (mixed ^ mixed >> 32) &* ImageLayout.multiplierHigh
}
