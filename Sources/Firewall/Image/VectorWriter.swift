/// Writes classes: which positions match a packet, as far as one dimension goes.
///
/// Most classes of a dimension differ from each other in a few positions. So a class is a base, which has every word, and
/// the words in which the class differs from it.
struct VectorWriter {
  /// Words of a vector.
  let wordCount: Int
  let depth: ImageLayout.Depth
  let groupCount: Int
  let positionCount: Int
  /// Of each dimension written so far, the bases that combinations know, and the classes that have these.
  private var dimensions: [(bases: [Base], classes: [(place: UInt32, base: UInt32)])] = []

  /// A vector that is written whole.
  struct Base {
    let place: UInt32
    let words: [UInt64]
    /// Counted from 1; 0 for one that combinations do not know.
    let number: UInt32
    let summary: UInt64

    static func summary(_ words: [UInt64], group: Int) -> UInt64 {
      var summary: UInt64 = 0
      for index in group * 64..<min(words.count, group * 64 + 64) where words[index] != 0 {
        summary |= 1 << UInt64(index & 63)
      }
      return summary
    }
  }

  /// A word of a class, as what changes in the base's.
  struct Change {
    let word: UInt32
    var bits: UInt64
  }

  init(positionCount: Int) {
    let count = min(positionCount, ImageLayout.positionLimit)
    self.positionCount = count
    wordCount = max(1, (count + 63) / 64)
    groupCount = (wordCount + 63) / 64
    depth = count <= 64 ? .word : .groups
  }

  /// What a base costs, in words.
  var baseSize: Int { wordCount + groupCount }

  var all: [UInt64] {
    var words = [UInt64](repeating: .max, count: wordCount)
    let rest = positionCount - (wordCount - 1) * 64
    if rest < 64 { words[wordCount - 1] = (1 << UInt64(rest)) - 1 }
    return words
  }

  /// Before any class is known.
  var summaryOfAll: UInt64 {
    let count = depth == .word ? positionCount : groupCount
    return count >= 64 ? .max : 1 << UInt64(count) - 1
  }

  // MARK: Classes

  mutating func beginDimension() { dimensions.append(([], [])) }

  mutating func base(_ words: [UInt64], _ writer: inout ImageWriter) -> Base {
    guard depth == .groups else { return Base(place: 0, words: words, number: 0, summary: 0) }
    let place = writer.allocate(groupCount)
    var summary: UInt64 = 0
    for group in 0..<groupCount {
      let used = Base.summary(words, group: group)
      writer.store(used, at: place + group)
      if used != 0 { summary |= 1 << UInt64(group) }
    }
    for word in words { writer.append(word) }
    let dimension = dimensions.count - 1
    let count = dimensions[dimension].bases.count
    let isKnown = count < Self.basesPerDimension
    let base = Base(
      place: UInt32(place), words: words, number: isKnown ? UInt32(count + 1) : 0, summary: summary)
    if isKnown { dimensions[dimension].bases.append(base) }
    return base
  }

  /// - Parameter changes: In order of words.
  /// - Returns: Where the class is.
  mutating func write(
    _ base: Base, _ changes: some RandomAccessCollection<Change>, _ writer: inout ImageWriter
  ) -> UInt32 {
    let place = UInt32(writer.words.count)
    guard depth == .groups else {
      writer.append(base.words[0] ^ (changes.first?.bits ?? 0))
      return place
    }
    var groups: UInt64 = 0
    for change in changes { groups |= 1 << UInt64(change.word >> 6) }
    writer.append(base.summary)
    writer.append(base.place, ImageLayout.Class.unknownBase)
    writer.append(groups)
    if base.number != 0 { dimensions[dimensions.count - 1].classes.append((place, base.number)) }
    guard groups != 0 else { return place }
    let first = writer.allocate(groups.nonzeroBitCount * ImageLayout.Class.groupSize)
    var summary = base.summary
    var entry = first - ImageLayout.Class.groupSize
    var group: UInt32?
    var (changed, used): (UInt64, UInt64) = (0, 0)
    func finish() {
      guard let group else { return }
      writer.store(changed, at: entry + ImageLayout.Class.changedWords)
      writer.store(used, at: entry + ImageLayout.Class.usedWords)
      let bit: UInt64 = 1 << UInt64(group)
      summary = used == 0 ? summary & ~bit : summary | bit
    }
    for change in changes {
      if change.word >> 6 != group {
        finish()
        entry += ImageLayout.Class.groupSize
        group = change.word >> 6
        writer.store(UInt32(writer.words.count), 0, at: entry + ImageLayout.Class.changes)
        (changed, used) = (0, writer.words[Int(base.place + change.word >> 6)])
      }
      let bit: UInt64 = 1 << UInt64(change.word & 63)
      changed |= bit
      used = base.words[Int(change.word)] == change.bits ? used & ~bit : used | bit
      writer.append(change.bits)
    }
    finish()
    writer.store(summary, at: Int(place))
    return place
  }

  /// A class that is its own base, or differs little from a given one.
  mutating func write(_ words: [UInt64], near base: Base, _ writer: inout ImageWriter) -> UInt32 {
    let changes = words.indices.compactMap { index in
      words[index] == base.words[index]
        ? nil : Change(word: UInt32(index), bits: words[index] ^ base.words[index])
    }
    guard changes.count > wordCount / 4 else { return write(base, changes, &writer) }
    return write(self.base(words, &writer), [], &writer)
  }

  // MARK: Combinations

  private static let basesPerDimension = 7
  private static let combinationLimit = 128

  /// Writes what the bases of the dimensions have in common, for each choice of one base of each dimension, or of none,
  /// where a class has a base that is not known here.
  ///
  /// - Returns: Where the first one is.
  func writeCombinations(_ writer: inout ImageWriter) -> UInt32 {
    guard depth == .groups else { return 0 }
    // 0 in each dimension: any base.
    var counts = dimensions.map { $0.bases.count + 1 }
    while counts.reduce(1, *) > Self.combinationLimit, let most = counts.max(), most > 1,
      let index = counts.firstIndex(of: most)
    {
      counts[index] -= 1
    }
    let size = 1 + groupCount + wordCount
    var stride = size
    var combinations = [all]
    for (dimension, count) in zip(dimensions, counts) {
      combinations = (0..<count).flatMap { number in
        number == 0
          ? combinations
          : combinations.map { words in
            let base = dimension.bases[number - 1].words
            return words.indices.map { words[$0] & base[$0] }
          }
      }
      for (place, base) in dimension.classes where Int(base) < count {
        writer.storeHalf(base * UInt32(stride), at: 2 * (Int(place) + ImageLayout.Class.base) + 1)
      }
      stride *= count
    }
    let first = writer.words.count
    for words in combinations {
      let used = (0..<groupCount).map { Base.summary(words, group: $0) }
      var summary: UInt64 = 0
      for (group, used) in used.enumerated() where used != 0 { summary |= 1 << UInt64(group) }
      writer.append(summary)
      for word in used { writer.append(word) }
      for word in words { writer.append(word) }
    }
    return UInt32(first)
  }
}
