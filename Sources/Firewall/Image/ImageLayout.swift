/// Where things lie in a rule image: one block of 64-bit words that the evaluator in Swift and the one in eBPF read.
/// `docs/rule-image.md` is the description.
///
/// All places are in 64-bit words from the start of the block. A word of two halves has the first one in its lower 32
/// bits, so that a half is found by `2 * word` or `2 * word + 1`.
package enum ImageLayout {
  package static let magic: UInt32 = 0x4952_5644
  package static let version: UInt32 = 1

  /// The start of the block.
  package enum Block {
    /// Halves: magic number, version of the layout.
    package static let identity = 0
    /// Halves: bit n is set where set n is enabled; words in use.
    package static let sets = 1
    /// Halves: sections of the rules and of the gate for received fragments (0: none).
    package static let sections = 2
    /// Halves: section of the gate for fragments of this host; ``LocalLookUps``.
    package static let moreSections = 3
    /// 64 bytes: the number of a word's only bit, by its product with ``bitMultiplier`` (a de Bruijn sequence).
    package static let bitNumbers = 4
    package static let size = 12
  }

  /// What turns a word with one bit into an index of ``Block/bitNumbers``, in its upper six bits.
  package static let bitMultiplier: UInt64 = 0x03f7_9d71_b4cb_0a89

  /// Which addresses of a packet the rules compare with the local ones.
  package struct LocalLookUps: OptionSet, Sendable, BitwiseCopyable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let source = LocalLookUps(rawValue: 1)
    package static let destination = LocalLookUps(rawValue: 2)
  }

  /// A set of rules with its index.
  package enum Section {
    /// Halves: positions without that of the last rule; ``Depth``.
    package static let count = 0
    /// Halves: first rule record; first step.
    package static let rules = 1
    /// Halves: bit n is set where there is dimension n; how many groups of 4096 positions there are.
    package static let dimensions = 2
    /// A half for each of ``Dimension/slotCount`` dimensions: its record.
    package static let records = 3
    /// Halves: the first ``Combination``; unused.
    package static let combinations = records + Dimension.slotCount / 2
    /// The summary of a packet that has no class yet: a bit for each position or group.
    package static let all = combinations + 1
    package static let size = all + 1
  }

  /// What the bases of a packet's classes have in common: the positions that match where no class has a change. A bit for
  /// each group that has some; for each group a bit for each word; the words. Its place is that of the first one and the
  /// sum of the classes' ``Class/base`` second halves.
  package enum Combination {
    package static let summary = 0
    package static let groups = 1
  }

  /// How far apart the levels of a vector of positions are: 64 positions to a word, 64 words to a group.
  package enum Depth: UInt32, Sendable {
    /// At most 64 positions: a class is one word.
    case word = 1
    /// More: the first word of a class has a bit for each group.
    case groups = 3
  }

  /// More positions than these have no bit in the index: they are tried one by one.
  package static let positionLimit = 64 * 64 * 64

  /// A rule, at a position. Rules that an or-block over several dimensions splits have several positions, one after the
  /// other.
  package enum Rule {
    /// Halves: number and, from bit 16, set and, from bit 24, ``ImageAction``; slot.
    package static let identity = 0
    /// Halves: port of `divert` and `tee`, position of `skipto`; ``Flags``.
    package static let argument = 1
    /// Halves: first step, or ``ImageStep/matches`` where there is nothing left to ask; threshold of `prob`.
    package static let steps = 2
    /// Halves: the position of the next rule; the rule's place in the rule set.
    package static let next = 3
    package static let size = 4
  }

  package struct Flags: OptionSet, Sendable, BitwiseCopyable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// The rule is tried where 32 random bits are less than its threshold.
    package static let probability = Flags(rawValue: 1)
    package static let sparesNeighbourDiscovery = Flags(rawValue: 2)
    /// The rule has positions after this one.
    package static let hasMorePositions = Flags(rawValue: 4)
    /// The rule or a later one of its number is a `tee`.
    package static let copies = Flags(rawValue: 8)
  }

  /// A class of a dimension: the positions that match a packet as far as this dimension goes.
  ///
  /// At ``Depth/word`` the first word only. Else its words are those of a base, changed (exclusive or) by the words that
  /// follow the entries for groups. A base has a bit for each word that is not 0, then its words.
  package enum Class {
    /// The positions; or a bit for each group that has some.
    package static let summary = 0
    /// Halves: the base; its part of the ``Combination``, or ``unknownBase``.
    package static let base = 1
    package static let unknownBase: UInt32 = 1 << 31
    /// A bit for each group with changed words.
    package static let changedGroups = 2
    package static let groups = 3
    /// For each of these groups three words: a bit for each changed word; one for each word that is not 0; in halves,
    /// where the changed words are.
    package static let groupSize = 3
    package static let changedWords = 0
    package static let usedWords = 1
    package static let changes = 2
  }

  /// The record of a dimension of addresses or interfaces.
  package enum Prefixes {
    /// Halves: class of what no prefix holds, and the first node (0: none); for 32 bits.
    package static let first32 = 0
    /// The same for 128 bits.
    package static let first128 = 1
    /// Halves: whether a mask's dimension is one of destinations; unused.
    package static let field = 2
    package static let size = 3
  }

  /// A node: the prefixes of one length, and which length to try next (0: none).
  package enum Node {
    /// Halves: mask; table.
    package static let mask32 = 0
    /// Halves: by how much a hash is shifted to the right; its multiplier.
    package static let hash32 = 1
    /// Halves: the node of longer prefixes, that of shorter ones.
    package static let next32 = 2
    package static let size32 = 3

    /// Two words: mask, high and low.
    package static let mask128 = 0
    /// Halves: by how much a hash is shifted to the right; table.
    package static let hash128 = 2
    package static let next128 = 3
    package static let size128 = 4
  }

  /// An entry of a node's table: the masked value (a half, or two words), then, in a half, the class of the longest
  /// prefix that holds it, and in the highest bit whether there are longer ones. 0: no entry.
  package enum Entry {
    package static let hasLonger: UInt32 = 1 << 31
    package static let size32 = 1
    package static let size128 = 3
    /// Entries lie at most so many places after their own one.
    package static let probes = 8
  }

  /// What spreads a value over a table (multiplicative hashing, Knuth, TAOCP 6.4).
  package static let multiplier32: UInt32 = 0x9e37_79b1
  package static let multiplierHigh: UInt64 = 0x9e37_79b9_7f4a_7c15
  package static let multiplierLow: UInt64 = 0xda94_2042_e4dd_58b5

  /// The record of a dimension of ports: the class of packets without ports, then 256 halves by a port's upper byte:
  /// a class, or with the highest bit set the place of 256 halves by its lower byte.
  package enum Ports {
    package static let without = 0
    package static let pages = 1
    package static let isPage: UInt32 = 1 << 31
    package static let size = 1 + 128
  }
}

/// What a rule does, as a rule record has it.
package enum ImageAction: UInt8, Sendable, BitwiseCopyable {
  case allow, deny, count, divert, tee, skipto
  /// Of gates: the fragment waits; the fragment waits if the port's socket takes whole packets.
  case wait, waitForPort
}

/// A field of packets by which rules tell them apart, and the index with them.
package enum Dimension: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case protocolNumber, destinationPort, sourcePort, destination, source, receive, transmit, via, tcpFlags,
    icmpType
  case fragment, local
  /// Direction, and whether a program has written the packet: the last one, for a `tee` changes it.
  case pass
  /// Addresses under a mask that is no prefix, each mask a dimension of its own.
  case mask0, mask1, mask2, mask3, mask4, mask5, mask6

  package static let slotCount = 20
  package static let masks: ClosedRange<UInt8> = Dimension.mask0.rawValue...Dimension.mask6.rawValue

  /// Of the dimensions that are tables of halves: how many, one for each value.
  package var valueCount: Int? {
    switch self {
    case .protocolNumber: 512
    case .tcpFlags: 257
    case .icmpType: 33
    case .fragment: 258
    case .pass: 4
    case .local: 8
    case .destinationPort, .sourcePort, .destination, .source, .receive, .transmit, .via, .mask0, .mask1,
      .mask2,
      .mask3, .mask4, .mask5, .mask6:
      nil
    }
  }
}

/// A field of the packet's block, by its place in it: 32 bits each.
package enum ImageField: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case version = 0
  case transportKind = 1
  case sourcePort = 2
  case destinationPort = 3
  case icmpType = 4
  case tcpFlags = 5
  case fragmentOffset = 6
  case receiveInterface = 8
  case transmitInterface = 9
  case source4 = 24
  case destination4 = 25
  case protocolNumber = 26
  case sourceIsLocal = 27
  case destinationIsLocal = 28
  case fragmentBits = 29
  case via = 30
  case pass = 31
}

/// What is left to ask where the index cannot tell: a step has three words.
package struct ImageStep: Equatable, Sendable, BitwiseCopyable {
  package enum Operation: UInt8, Sendable, BitwiseCopyable {
    /// `field & first == second`
    case masked
    /// `first <= field <= second`
    case range
    /// Bit `field` of `first`, if it is less than 32.
    case bit
    /// The four words at `first`: address & mask == value, value first; field is source4 or destination4.
    case address128
  }

  package var operation: Operation
  package var field: ImageField
  package var first: UInt32
  package var second: UInt32
  /// The next step.
  package var whenTrue: UInt32
  package var whenFalse: UInt32

  package static let size = 3
  /// Instead of a step: the rule matches, or does not.
  package static let matches: UInt32 = .max
  package static let fails: UInt32 = .max - 1

  /// Halves: operation and, from bit 8, field; unused.
  package static let identity = 0
  /// Halves.
  package static let operands = 1
  /// Halves: ``whenTrue``, ``whenFalse``.
  package static let next = 2
}
