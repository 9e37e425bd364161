/// Walks over the positions whose rules match a packet as far as the index can tell, in order.
struct PositionWalk {
  let section: RuleImage.Section
  private var classes = InlineArray<20, UInt32>(repeating: 0)
  private var classCount = 0
  /// All classes' first words: positions, or groups of them.
  private var summary: UInt64 = .max
  /// Groups where some class has changes.
  private var changedGroups: UInt64 = 0
  /// What the classes' bases have in common.
  private var combination: Int
  /// Then the words of the combination have more positions than match.
  private var hasUnknownBase = false
  /// Words of ``group`` where some class has changes.
  private var changedWords: UInt64 = 0
  private var from: Int
  /// What is left: groups, words of ``group``, positions of ``word``.
  private var groups: UInt64 = 0
  private var wordsLeft: UInt64 = 0
  private var positions: UInt64 = 0
  private var group = 0
  private var word = 0
  /// Beyond what the index knows.
  private var unindexed = ImageLayout.positionLimit

  init(_ section: RuleImage.Section, from: Int) {
    self.section = section
    self.from = from
    combination = section.combinations
  }

  var mayMatch: Bool { summary != 0 }

  @inline(__always)
  mutating func add(_ place: UInt32, _ words: Span<UInt64>) {
    classes[classCount] = place
    classCount += 1
    summary &= words[Int(place)]
    if !section.isWord {
      let part = words.second(Int(place) + ImageLayout.Class.base)
      if part == ImageLayout.Class.unknownBase { hasUnknownBase = true } else { combination += Int(part) }
      changedGroups |= words[Int(place) + ImageLayout.Class.changedGroups]
    }
  }

  /// When all classes have been added.
  @inline(__always)
  mutating func begin(_ words: Span<UInt64>) {
    if section.isWord {
      summary &= Self.low(section.count)
    } else if summary != 0 {
      summary &= changedGroups | words[combination + ImageLayout.Combination.summary]
    }
    go(to: from)
  }

  @inline(__always)
  private static func low(_ count: Int) -> UInt64 { count >= 64 ? .max : 1 &<< UInt64(count) &- 1 }

  /// Goes on at a position, which may be any.
  @inline(__always)
  mutating func go(to position: Int) {
    from = position
    (wordsLeft, positions, groups) = (0, 0, 0)
    unindexed = max(position, ImageLayout.positionLimit)
    if section.isWord {
      word = 0
      if position < 64 { positions = summary & .max &<< UInt64(position) }
    } else if position < ImageLayout.positionLimit {
      groups = summary & .max &<< UInt64(position >> 12)
    }
  }

  /// The next one; that of the default rule where there is none before it.
  @inline(__always)
  mutating func next(_ words: Span<UInt64>) -> Int {
    while positions == 0 {
      if wordsLeft != 0 {
        enterWord(words)
      } else if groups != 0 {
        enterGroup(words)
      } else if unindexed < section.count {
        unindexed += 1
        return unindexed - 1
      } else {
        return section.count
      }
    }
    let position = word * 64 + positions.trailingZeroBitCount
    positions &= positions &- 1
    return position
  }

  private mutating func enterGroup(_ words: Span<UInt64>) {
    group = groups.trailingZeroBitCount
    groups &= groups &- 1
    wordsLeft = .max
    changedWords = 0
    for index in 0..<classCount {
      let place = Int(classes[index])
      let changed = words[place + ImageLayout.Class.changedGroups]
      if changed & 1 &<< UInt64(group) != 0 {
        let entry = Self.entry(place, changed, group)
        changedWords |= words[entry + ImageLayout.Class.changedWords]
        wordsLeft &= words[entry + ImageLayout.Class.usedWords]
      } else {
        wordsLeft &= words[Int(words.first(place + ImageLayout.Class.base)) + group]
      }
      if wordsLeft == 0 { return }
    }
    wordsLeft &= changedWords | words[combination + ImageLayout.Combination.groups + group]
    if from >> 12 == group { wordsLeft &= .max &<< UInt64(from >> 6 & 63) }
  }

  private mutating func enterWord(_ words: Span<UInt64>) {
    let bit = wordsLeft.trailingZeroBitCount
    wordsLeft &= wordsLeft &- 1
    word = group * 64 + bit
    let mask: UInt64 = 1 &<< UInt64(bit)
    if changedWords & mask == 0, !hasUnknownBase {
      positions = words[combination + ImageLayout.Combination.groups + section.groupCount + word]
    } else {
      positions = .max
      for index in 0..<classCount {
        let place = Int(classes[index])
        let base = Int(words.first(place + ImageLayout.Class.base))
        var own = words[base + section.groupCount + word]
        let changed = words[place + ImageLayout.Class.changedGroups]
        if changed & 1 &<< UInt64(group) != 0 {
          let entry = Self.entry(place, changed, group)
          let changedWords = words[entry + ImageLayout.Class.changedWords]
          if changedWords & mask != 0 {
            let before = (changedWords & (mask &- 1)).nonzeroBitCount
            own ^= words[Int(words.first(entry + ImageLayout.Class.changes)) + before]
          }
        }
        positions &= own
        if positions == 0 { return }
      }
    }
    if from >> 6 == word { positions &= .max &<< UInt64(from & 63) }
  }

  /// A class's entry for a group that it has one for.
  @inline(__always)
  private static func entry(_ place: Int, _ changed: UInt64, _ group: Int) -> Int {
    let before = (changed & (1 &<< UInt64(group) &- 1)).nonzeroBitCount
    return place + ImageLayout.Class.groups + before * ImageLayout.Class.groupSize
  }
}
