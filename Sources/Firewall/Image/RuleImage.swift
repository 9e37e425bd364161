import Packets

/// A rule set as flat data, resolved against the host's interfaces: what both evaluators execute. See ``ImageLayout``.
///
/// Local addresses and disabled sets change without another image being built.
package struct RuleImage: Sendable {
  /// The block. Other processors than little-endian ones find the halves of a word the other way round.
  package private(set) var words: [UInt64]
  let rules: Section
  let received: Section?
  let locallyMade: Section?
  /// By a rule's place in the rule set: its first position. Empty where each rule has one.
  let firstPositions: [UInt32]
  /// Sorted.
  private(set) var local4: [UInt32] = []
  private(set) var local6: [IPv6Address] = []

  /// A section's own places, read once.
  struct Section: BitwiseCopyable, Sendable {
    let place: Int
    let count: Int
    let rules: Int
    let steps: Int
    let dimensions: UInt32
    let groupCount: Int
    let isWord: Bool
    let combinations: Int
  }

  /// - Parameter withGates: Whether fragments may have to wait: then the image has the gates, too.
  package init(ruleSet: RuleSet, host: HostView, withGates: Bool = true) {
    var writer = ImageWriter()
    _ = writer.allocate(ImageLayout.Block.size)
    var builder = SectionBuilder(host: host, purpose: .rules)
    let rules = builder.write(ruleSet.entries, ruleSet, &writer)
    var lookUps = builder.localLookUps
    let positions = builder.firstPositions
    firstPositions = positions.last.map { Int($0) == positions.count - 1 } ?? true ? [] : positions
    func gate(_ gate: FragmentGate) -> UInt32 {
      guard withGates, !gate.isEmpty else { return 0 }
      var builder = SectionBuilder(host: host, purpose: .gate)
      let ruleSet = gate.ruleSet
      let place = builder.write(ruleSet.entries, ruleSet, &writer)
      lookUps.formUnion(builder.localLookUps)
      return place
    }
    let received = gate(.received(ruleSet))
    let locallyMade = gate(.locallyMade(ruleSet))
    writer.store(ImageLayout.magic, ImageLayout.version, at: ImageLayout.Block.identity)
    writer.store(~ruleSet.disabledSets, UInt32(writer.words.count), at: ImageLayout.Block.sets)
    writer.store(rules, received, at: ImageLayout.Block.sections)
    writer.store(locallyMade, lookUps.rawValue, at: ImageLayout.Block.moreSections)
    for number in UInt64(0)..<64 {
      let index = Int(((1 << number) &* ImageLayout.bitMultiplier) >> 58)
      writer.merge(number << UInt64(index % 8 * 8), at: ImageLayout.Block.bitNumbers + index / 8)
    }
    words = writer.words
    self.rules = Section(words, Int(rules))
    self.received = received == 0 ? nil : Section(words, Int(received))
    self.locallyMade = locallyMade == 0 ? nil : Section(words, Int(locallyMade))
    setLocalAddresses(of: host)
  }

  /// Other local addresses, for `me` and `me6`.
  package mutating func setLocalAddresses(of host: HostView) {
    local4 = Set(host.interfaces.flatMap(\.addresses4).map(\.rawValue)).sorted()
    local6 = Set(host.interfaces.flatMap(\.addresses6)).sorted { ($0.high, $0.low) < ($1.high, $1.low) }
  }

  /// Bit n is set n.
  package var enabledSets: UInt32 {
    get { UInt32(truncatingIfNeeded: words[ImageLayout.Block.sets]) }
    set {
      words[ImageLayout.Block.sets] = words[ImageLayout.Block.sets] & 0xffff_ffff_0000_0000 | UInt64(newValue)
    }
  }

  /// In bytes.
  package var size: Int { words.count * 8 }
}

extension RuleImage.Section {
  init(_ words: [UInt64], _ place: Int) {
    func half(_ word: Int, _ half: Int) -> UInt32 {
      UInt32(truncatingIfNeeded: words[place + word] >> UInt64(half * 32))
    }
    self.place = place
    count = Int(half(ImageLayout.Section.count, 0))
    isWord = half(ImageLayout.Section.count, 1) == ImageLayout.Depth.word.rawValue
    rules = Int(half(ImageLayout.Section.rules, 0))
    steps = Int(half(ImageLayout.Section.rules, 1))
    dimensions = half(ImageLayout.Section.dimensions, 0)
    groupCount = Int(half(ImageLayout.Section.dimensions, 1))
    combinations = Int(half(ImageLayout.Section.combinations, 0))
  }
}

extension Span<UInt64> {
  @inline(__always)
  func half(_ index: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: self[index >> 1] >> UInt64((index & 1) * 32))
  }

  @inline(__always)
  func first(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: self[index]) }

  @inline(__always)
  func second(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: self[index] >> 32) }
}
