import BPF
import Firewall

/// The function that judges by a section of the image, and the one that the kernel calls for each step of its walk over
/// positions; see `PositionWalk`.
extension RuleHook {
  /// More rounds no packet needs: each takes a position, or finds a word or group of positions.
  private static var roundLimit: UInt32 { 1 << 20 }

  /// r0 = ``Outcome``; r1 is the address of ``Frame``, r2 the place of the section, r3 the tag after whose rules judgement
  /// begins, or 0.
  mutating func functionEvaluate() {
    let (start, walk, last) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.place(evaluate)
    takeFrame(.r1)
    assembler.move(.r6, .r1)
    assembler.store(.word, value: 0, to: .r7, Variable.from)
    readSection()
    assembler.jump(if: .r3, .equal, 0, to: start)
    findRestart()
    assembler.place(start)
    assembler.move(.r1, .r6)
    assembler.call(find)
    assembler.load(.word, .r1, from: .r7, Variable.from)
    go()
    // Most packets match no rule but the last one.
    assembler.load(.doubleword, .r1, from: .r7, Variable.positions)
    assembler.load(.doubleword, .r2, from: .r7, Variable.groups)
    assembler.calculate64(.or, .r1, .r2)
    assembler.jump64(if: .r1, .notEqual, 0, to: walk)
    assembler.load(.word, .r1, from: .r7, Variable.unindexed)
    assembler.load(.word, .r2, from: .r7, Variable.count)
    assembler.jump(if: .r1, .less, .r2, to: walk)
    assembler.jump(to: last)
    assembler.place(walk)
    assembler.store(.word, value: Outcome.none, to: .r7, Variable.outcome)
    assembler.move32(.r1, Self.roundLimit)
    assembler.loadFunction(.r2, round)
    assembler.move(.r3, .r6)
    assembler.move(.r4, 0)
    assembler.call(.loop)
    assembler.load(.word, .r0, from: .r7, Variable.outcome)
    assembler.exit()

    assembler.place(last)
    assembler.load(.word, .r1, from: .r7, Variable.count)
    loadRule()
    assembler.load(.word, .r1, from: .r7, Variable.action)
    assembler.move(.r0, Int32(Outcome.allow))
    let allows = assembler.makeLabel()
    assembler.jump(if: .r1, .equal, UInt32(ImageAction.allow.rawValue), to: allows)
    assembler.move(.r0, Int32(Outcome.deny))
    assembler.place(allows)
    assembler.exit()
  }

  /// From the section at r2; keeps r3.
  private mutating func readSection() {
    assembler.move32(.r1, .r2)
    assembler.calculate(.add, .r1, UInt32(ImageLayout.Section.records))
    assembler.calculate(.shiftLeft, .r1, 1)
    assembler.store(.word, .r1, to: .r7, Variable.records)
    address(of: .r2)
    for (word, first, second) in [
      (ImageLayout.Section.count, Variable.count, Variable.depth),
      (ImageLayout.Section.rules, Variable.rules, Variable.steps),
      (ImageLayout.Section.dimensions, Variable.dimensions, Variable.groupCount),
      (ImageLayout.Section.combinations, Variable.combinations, nil),
    ] as [(Int, Int, Int?)] {
      assembler.load(.word, .r1, from: .r2, word * 8)
      assembler.store(.word, .r1, to: .r7, first)
      guard let second else { continue }
      assembler.load(.word, .r1, from: .r2, word * 8 + 4)
      assembler.store(.word, .r1, to: .r7, second)
    }
    assembler.load(.doubleword, .r1, from: .r2, ImageLayout.Section.all * 8)
    assembler.store(.doubleword, .r1, to: .r7, Variable.all)
  }

  /// `Variable.from` = the position of the first rule whose number is greater than r3, at most that of the last rule.
  private mutating func findRestart() {
    assembler.store(.word, value: 0, to: .r7, Variable.low)
    assembler.load(.word, .r1, from: .r7, Variable.count)
    assembler.store(.word, .r1, to: .r7, Variable.high)
    let done = assembler.makeLabel()
    for _ in 0..<24 {
      let (above, next) = (assembler.makeLabel(), assembler.makeLabel())
      assembler.load(.word, .r1, from: .r7, Variable.low)
      assembler.load(.word, .r2, from: .r7, Variable.high)
      assembler.jump(if: .r1, .greaterOrEqual, .r2, to: done)
      assembler.calculate(.add, .r1, .r2)
      assembler.calculate(.shiftRight, .r1, 1)
      assembler.move32(.r2, .r1)
      assembler.calculate(.multiply, .r1, UInt32(ImageLayout.Rule.size))
      assembler.load(.word, .r4, from: .r7, Variable.rules)
      assembler.calculate(.add, .r1, .r4)
      address(of: .r1)
      assembler.load(.halfword, .r1, from: .r1, ImageLayout.Rule.identity * 8)
      assembler.jump(if: .r1, .greater, .r3, to: above)
      assembler.calculate(.add, .r2, 1)
      assembler.store(.word, .r2, to: .r7, Variable.low)
      assembler.jump(to: next)
      assembler.place(above)
      assembler.store(.word, .r2, to: .r7, Variable.high)
      assembler.place(next)
    }
    assembler.place(done)
    assembler.load(.word, .r1, from: .r7, Variable.low)
    assembler.store(.word, .r1, to: .r7, Variable.from)
  }

  /// The walk goes on at the position in r1, which may be any; changes r1...r3.
  mutating func go() {
    let (indexed, groups, done) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.store(.word, .r1, to: .r7, Variable.from)
    for variable in [Variable.wordsLeft, Variable.positions, Variable.groups] {
      assembler.store(.doubleword, value: 0, to: .r7, variable)
    }
    assembler.store(.word, value: UInt32(ImageLayout.positionLimit), to: .r7, Variable.unindexed)
    assembler.jump(if: .r1, .less, UInt32(ImageLayout.positionLimit), to: indexed)
    assembler.store(.word, .r1, to: .r7, Variable.unindexed)
    assembler.jump(to: done)
    assembler.place(indexed)
    assembler.load(.doubleword, .r2, from: .r7, Variable.summary)
    assembler.load(.word, .r3, from: .r7, Variable.depth)
    assembler.jump(if: .r3, .notEqual, ImageLayout.Depth.word.rawValue, to: groups)
    assembler.jump(if: .r1, .greater, 63, to: done)
    clearBelow(.r1, of: .r2)
    assembler.store(.doubleword, .r2, to: .r7, Variable.positions)
    assembler.store(.word, value: 0, to: .r7, Variable.word)
    assembler.jump(to: done)
    assembler.place(groups)
    assembler.calculate(.shiftRight, .r1, 12)
    clearBelow(.r1, of: .r2)
    assembler.store(.doubleword, .r2, to: .r7, Variable.groups)
    assembler.place(done)
  }

  /// Of a word, the bits below a number become 0.
  private mutating func clearBelow(_ number: Register, of word: Register) {
    assembler.calculate64(.shiftRight, word, number)
    assembler.calculate64(.shiftLeft, word, number)
  }

  // MARK: A round

  /// Tries the next position, or finds where to look for it; r2 is the address of ``Frame``. r0 = 1: the walk is over.
  mutating func functionRound() {
    let (take, enterWord, enterGroup, rule) =
      (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.place(round)
    assembler.store(.doubleword, .r2, to: .r10, Self.ownFrame)
    takeFrame(.r2, context: true)
    assembler.load(.doubleword, .r1, from: .r7, Variable.positions)
    assembler.jump64(if: .r1, .notEqual, 0, to: take)
    assembler.load(.doubleword, .r1, from: .r7, Variable.wordsLeft)
    assembler.jump64(if: .r1, .notEqual, 0, to: enterWord)
    assembler.load(.doubleword, .r1, from: .r7, Variable.groups)
    assembler.jump64(if: .r1, .notEqual, 0, to: enterGroup)
    // Beyond the index each rule is tried; the last one matches in the end.
    assembler.load(.word, .r1, from: .r7, Variable.unindexed)
    assembler.load(.word, .r2, from: .r7, Variable.count)
    let unindexed = assembler.makeLabel()
    assembler.jump(if: .r1, .less, .r2, to: unindexed)
    assembler.move32(.r1, .r2)
    assembler.jump(to: rule)
    assembler.place(unindexed)
    assembler.move32(.r2, .r1)
    assembler.calculate(.add, .r2, 1)
    assembler.store(.word, .r2, to: .r7, Variable.unindexed)
    assembler.jump(to: rule)

    assembler.place(enterGroup)
    self.enterGroup()
    assembler.place(enterWord)
    self.enterWord()
    assembler.place(take)
    takeLowestBit()
    assembler.store(.doubleword, .r1, to: .r7, Variable.positions)
    assembler.load(.word, .r1, from: .r7, Variable.word)
    assembler.calculate(.shiftLeft, .r1, 6)
    assembler.calculate(.add, .r1, .r2)
    assembler.place(rule)
    loadRule()
    judge()
  }

  static var ownFrame: Int { -8 }

  /// Of the rules in r5, those in r2, too; the round ends where none is left.
  private mutating func keepCommonRules() {
    let some = assembler.makeLabel()
    assembler.calculate64(.and, .r5, .r2)
    assembler.jump64(if: .r5, .notEqual, 0, to: some)
    endRound()
    assembler.place(some)
  }

  /// Ends a round; the walk goes on.
  mutating func endRound() { assembler.answer(0) }

  /// r1: the groups left, at least one; becomes the words left in the lowest of them.
  private mutating func enterGroup() {
    let some = assembler.makeLabel()
    takeLowestBit()
    assembler.store(.doubleword, .r1, to: .r7, Variable.groups)
    assembler.store(.word, .r2, to: .r7, Variable.group)
    assembler.move32(.r4, .r2)
    assembler.move(.r5, -1)
    assembler.move(.r0, 0)
    for dimension in Dimension.allCases {
      let slot = 4 * Int(dimension.rawValue)
      let (absent, base, meet) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
      skip(dimension, to: absent)
      assembler.load(.word, .r1, from: .r7, Variable.classes + slot)
      address(of: .r1)
      assembler.store(.word, value: 0, to: .r7, Variable.entries + slot)
      assembler.load(.doubleword, .r2, from: .r1, ImageLayout.Class.changedGroups * 8)
      assembler.move(.r3, .r2)
      assembler.calculate64(.shiftRight, .r3, .r4)
      assembler.calculate(.and, .r3, 1)
      assembler.jump(if: .r3, .equal, 0, to: base)
      // How many entries come before.
      loadBitsBelow(.r4, of: .r2, into: .r3)
      assembler.jump64(if: .r3, .equal, 0, to: meet)
      countBits(.r3, .r1, .r2)
      assembler.calculate(.multiply, .r3, UInt32(ImageLayout.Class.groupSize))
      assembler.place(meet)
      assembler.load(.word, .r1, from: .r7, Variable.classes + slot)
      assembler.calculate(.add, .r1, .r3)
      assembler.calculate(.add, .r1, UInt32(ImageLayout.Class.groups))
      assembler.store(.word, .r1, to: .r7, Variable.entries + slot)
      address(of: .r1)
      assembler.load(.doubleword, .r2, from: .r1, ImageLayout.Class.changedWords * 8)
      assembler.calculate64(.or, .r0, .r2)
      assembler.load(.doubleword, .r2, from: .r1, ImageLayout.Class.usedWords * 8)
      let both = assembler.makeLabel()
      assembler.jump(to: both)
      assembler.place(base)
      assembler.load(.word, .r2, from: .r1, ImageLayout.Class.base * 8)
      assembler.calculate(.add, .r2, .r4)
      loadWord(.r2)
      assembler.place(both)
      keepCommonRules()
      assembler.place(absent)
    }
    assembler.store(.doubleword, .r0, to: .r7, Variable.changedWords)
    assembler.load(.word, .r1, from: .r7, Variable.combination)
    assembler.calculate(.add, .r1, .r4)
    assembler.calculate(.add, .r1, UInt32(ImageLayout.Combination.groups))
    loadWord(.r1)
    assembler.calculate64(.or, .r1, .r0)
    assembler.calculate64(.and, .r1, .r5)
    // Before the beginning nothing matches.
    let whole = assembler.makeLabel()
    assembler.load(.word, .r2, from: .r7, Variable.from)
    assembler.move32(.r3, .r2)
    assembler.calculate(.shiftRight, .r3, 12)
    assembler.jump(if: .r3, .notEqual, .r4, to: whole)
    assembler.calculate(.shiftRight, .r2, 6)
    assembler.calculate(.and, .r2, 63)
    clearBelow(.r2, of: .r1)
    assembler.place(whole)
    assembler.jump64(if: .r1, .notEqual, 0, to: some)
    endRound()
    assembler.place(some)
  }

  /// r1: the words left in the group, at least one; becomes the positions in the lowest of them.
  private mutating func enterWord() {
    let (cut, some, dimensions) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    takeLowestBit()
    assembler.store(.doubleword, .r1, to: .r7, Variable.wordsLeft)
    assembler.move32(.r4, .r2)
    assembler.load(.word, .r0, from: .r7, Variable.group)
    assembler.calculate(.shiftLeft, .r0, 6)
    assembler.calculate(.add, .r0, .r2)
    assembler.store(.word, .r0, to: .r7, Variable.word)
    assembler.load(.word, .r1, from: .r7, Variable.groupCount)
    assembler.calculate(.add, .r0, .r1)
    assembler.load(.word, .r1, from: .r7, Variable.hasUnknownBase)
    assembler.jump(if: .r1, .notEqual, 0, to: dimensions)
    assembler.load(.doubleword, .r1, from: .r7, Variable.changedWords)
    assembler.calculate64(.shiftRight, .r1, .r4)
    assembler.calculate(.and, .r1, 1)
    assembler.jump(if: .r1, .notEqual, 0, to: dimensions)
    // Where no class has a change, the bases have been compared before.
    assembler.load(.word, .r5, from: .r7, Variable.combination)
    assembler.calculate(.add, .r5, .r0)
    assembler.calculate(.add, .r5, UInt32(ImageLayout.Combination.groups))
    loadWord(.r5)
    assembler.jump(to: cut)

    assembler.place(dimensions)
    assembler.move(.r5, -1)
    for dimension in Dimension.allCases {
      let slot = 4 * Int(dimension.rawValue)
      let (absent, meet, first) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
      skip(dimension, to: absent)
      assembler.load(.word, .r1, from: .r7, Variable.classes + slot)
      address(of: .r1)
      assembler.load(.word, .r2, from: .r1, ImageLayout.Class.base * 8)
      assembler.calculate(.add, .r2, .r0)
      loadWord(.r2)
      assembler.load(.word, .r1, from: .r7, Variable.entries + slot)
      assembler.jump(if: .r1, .equal, 0, to: meet)
      address(of: .r1)
      assembler.load(.doubleword, .r3, from: .r1, ImageLayout.Class.changedWords * 8)
      assembler.load(.word, .r1, from: .r1, ImageLayout.Class.changes * 8)
      assembler.store(.doubleword, .r2, to: .r7, Variable.scratch)
      assembler.move(.r2, .r3)
      assembler.calculate64(.shiftRight, .r2, .r4)
      assembler.calculate(.and, .r2, 1)
      let unchanged = assembler.makeLabel()
      assembler.jump(if: .r2, .equal, 0, to: unchanged)
      loadBitsBelow(.r4, of: .r3, into: .r2)
      assembler.jump64(if: .r2, .equal, 0, to: first)
      assembler.store(.word, .r1, to: .r7, Variable.low)
      countBits(.r2, .r1, .r3)
      assembler.load(.word, .r1, from: .r7, Variable.low)
      assembler.calculate(.add, .r1, .r2)
      assembler.place(first)
      loadWord(.r1)
      assembler.load(.doubleword, .r2, from: .r7, Variable.scratch)
      assembler.calculate64(.xor, .r2, .r1)
      assembler.jump(to: meet)
      assembler.place(unchanged)
      assembler.load(.doubleword, .r2, from: .r7, Variable.scratch)
      assembler.place(meet)
      keepCommonRules()
      assembler.place(absent)
    }

    assembler.place(cut)
    let whole = assembler.makeLabel()
    assembler.move(.r1, .r5)
    assembler.load(.word, .r2, from: .r7, Variable.from)
    assembler.move32(.r3, .r2)
    assembler.calculate(.shiftRight, .r3, 6)
    assembler.load(.word, .r4, from: .r7, Variable.word)
    assembler.jump(if: .r3, .notEqual, .r4, to: whole)
    assembler.calculate(.and, .r2, 63)
    clearBelow(.r2, of: .r1)
    assembler.place(whole)
    assembler.jump64(if: .r1, .notEqual, 0, to: some)
    endRound()
    assembler.place(some)
  }

  /// Jumps where the section has no such dimension; changes r1.
  private mutating func skip(_ dimension: Dimension, to absent: Label) {
    let present = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.dimensions)
    assembler.jump(if: .r1, .anyBitSet, 1 << UInt32(dimension.rawValue), to: present)
    assembler.jump(to: absent)
    assembler.place(present)
  }

  private mutating func loadBitsBelow(_ number: Register, of word: Register, into bits: Register) {
    assembler.move(bits, 1)
    assembler.calculate64(.shiftLeft, bits, number)
    assembler.calculate64(.add, bits, -1)
    assembler.calculate64(.and, bits, word)
  }
}
