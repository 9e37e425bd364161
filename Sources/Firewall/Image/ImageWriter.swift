/// The words of an image while it is built.
struct ImageWriter: Sendable {
  private(set) var words: [UInt64] = []

  /// Adds zeros; returns where.
  mutating func allocate(_ count: Int) -> Int {
    let place = words.count
    words.append(contentsOf: repeatElement(0, count: count))
    return place
  }

  mutating func append(_ word: UInt64) { words.append(word) }

  mutating func append(_ first: UInt32, _ second: UInt32) { words.append(Self.word(first, second)) }

  mutating func store(_ word: UInt64, at place: Int) { words[place] = word }

  mutating func store(_ first: UInt32, _ second: UInt32, at place: Int) {
    words[place] = Self.word(first, second)
  }

  mutating func storeHalf(_ value: UInt32, at half: Int) {
    let shift = UInt64(half & 1) * 32
    words[half >> 1] = words[half >> 1] & ~(0xffff_ffff << shift) | UInt64(value) << shift
  }

  mutating func merge(_ bits: UInt64, at place: Int) { words[place] |= bits }

  static func word(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) | UInt64(second) << 32 }
}
