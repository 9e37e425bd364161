import Packets

/// Builds one section of an image: rules, their index, and the steps for what the index cannot tell.
struct SectionBuilder {
  /// What a section is for.
  enum Purpose {
    case rules
    /// A gate's rules, of which those that divert ask whether the port's socket takes whole packets.
    case gate
  }

  private let host: HostView
  private let purpose: Purpose
  private var division: TestDivision
  private var values: [ValueClasses] = Dimension.allCases.map { ValueClasses(valueCount: $0.valueCount ?? 0) }
  private var ports = [PortClasses](repeating: PortClasses(), count: Dimension.slotCount)
  private var prefixes = [PrefixClasses](repeating: PrefixClasses(), count: Dimension.slotCount)
  private var steps = StepWriter()
  private var records: [UInt64] = []
  private var positionCount: UInt32 = 0
  private(set) var firstPositions: [UInt32] = []

  /// A rule that would need more positions asks by steps.
  private static let positionsPerRule = 16

  var localLookUps: ImageLayout.LocalLookUps { steps.localLookUps.union(indexedLookUps) }
  private var indexedLookUps: ImageLayout.LocalLookUps = []

  init(host: HostView, purpose: Purpose) {
    self.host = host
    self.purpose = purpose
    division = TestDivision(host: host)
    steps.host = host
  }

  /// - Parameter entries: The last one is the default rule, which matches all.
  /// - Returns: Where the section is.
  mutating func write(_ entries: [RuleSet.Entry], _ ruleSet: RuleSet, _ writer: inout ImageWriter) -> UInt32 {
    firstPositions.reserveCapacity(entries.count)
    records.reserveCapacity(entries.count * ImageLayout.Rule.size)
    for (index, entry) in entries.enumerated() {
      firstPositions.append(positionCount)
      index == entries.count - 1 ? addDefault(entry, index) : add(entry, index)
    }
    finishRecords(entries, ruleSet)

    let section = writer.allocate(ImageLayout.Section.size)
    var vectors = VectorWriter(positionCount: Int(positionCount) - 1)
    let rulesPlace = writer.allocate(0)
    for word in records { writer.append(word) }
    let stepsPlace = writer.allocate(0)
    steps.write(&writer)
    let used = writeDimensions(&vectors, at: section + ImageLayout.Section.records, &writer)
    writer.store(
      vectors.writeCombinations(&writer), 0, at: section + ImageLayout.Section.combinations)
    writer.store(vectors.summaryOfAll, at: section + ImageLayout.Section.all)
    writer.store(positionCount - 1, vectors.depth.rawValue, at: section + ImageLayout.Section.count)
    writer.store(UInt32(rulesPlace), UInt32(stepsPlace), at: section + ImageLayout.Section.rules)
    writer.store(used, UInt32(vectors.groupCount), at: section + ImageLayout.Section.dimensions)
    return UInt32(section)
  }

  private func writeDimensions(
    _ vectors: inout VectorWriter, at records: Int, _ writer: inout ImageWriter
  ) -> UInt32 {
    var used: UInt32 = 0
    for dimension in Dimension.allCases {
      let index = Int(dimension.rawValue)
      let record: UInt32
      vectors.beginDimension()
      if values[index].isUsed {
        record = values[index].write(&vectors, &writer)
      } else if ports[index].isUsed {
        record = ports[index].write(&vectors, &writer)
      } else if prefixes[index].isUsed {
        var name: MaskDimensions.Name?
        if Dimension.masks.contains(dimension.rawValue) {
          name = division.masks.names[index - Int(Dimension.mask0.rawValue)]
        }
        record = prefixes[index].write(
          &vectors, mask: name?.mask, isDestination: name?.isDestination ?? false, &writer)
      } else {
        continue
      }
      used |= 1 << UInt32(index)
      writer.storeHalf(record, at: 2 * records + index)
    }
    return used
  }

  // MARK: Rules

  private mutating func addDefault(_ entry: RuleSet.Entry, _ index: Int) {
    append(entry, index, steps: ImageStep.matches, isLast: true)
  }

  private mutating func append(_ entry: RuleSet.Entry, _ index: Int, steps: UInt32, isLast: Bool) {
    let rule = entry.rule
    var flags: ImageLayout.Flags = isLast ? [] : .hasMorePositions
    if rule.probability != nil { flags.insert(.probability) }
    if rule.sparesNeighbourDiscovery { flags.insert(.sparesNeighbourDiscovery) }
    let (action, argument) = action(of: rule)
    let identity = UInt32(rule.number) | UInt32(rule.set) << 16 | UInt32(action.rawValue) << 24
    records.append(ImageWriter.word(identity, UInt32(entry.slot)))
    records.append(ImageWriter.word(argument, flags.rawValue))
    records.append(ImageWriter.word(steps, rule.threshold ?? 0))
    records.append(ImageWriter.word(0, UInt32(index)))
    positionCount += 1
  }

  private func action(of rule: Rule) -> (ImageAction, UInt32) {
    switch (rule.action, purpose) {
    case (.divert(let port), .gate): return (.waitForPort, UInt32(port))
    case (.allow, .gate): return (.wait, 0)
    case (.allow, _): return (.allow, 0)
    case (.deny, _): return (.deny, 0)
    case (.count, _): return (.count, 0)
    case (.divert(let port), _): return (.divert, UInt32(port))
    case (.tee(let port), _): return (.tee, UInt32(port))
    case (.skipto, _): return (.skipto, 0)
    }
  }

  /// What is known only when every rule has its positions.
  private mutating func finishRecords(_ entries: [RuleSet.Entry], _ ruleSet: RuleSet) {
    var copies = false
    var number = RuleSet.defaultNumber
    for index in entries.indices.reversed() {
      let rule = entries[index].rule
      let next = index + 1 < entries.count ? firstPositions[index + 1] : positionCount
      var isTee = false
      if case .tee = rule.action { isTee = true }
      if rule.number != number { (number, copies) = (rule.number, false) }
      copies = copies || isTee
      for position in firstPositions[index]..<next {
        let record = Int(position) * ImageLayout.Rule.size
        records[record + ImageLayout.Rule.next] |= UInt64(next)
        if copies {
          records[record + ImageLayout.Rule.argument] |= UInt64(ImageLayout.Flags.copies.rawValue) << 32
        }
        if case .skipto = rule.action {
          let target = firstPositions[ruleSet.index(after: rule.skipTarget - 1)]
          records[record + ImageLayout.Rule.argument] |= UInt64(target)
        }
      }
    }
  }

  private mutating func add(_ entry: RuleSet.Entry, _ index: Int) {
    if isPlain(entry.rule) {
      for clause in entry.rule.clauses { if let term = clause.terms.first { addPlain(term) } }
      return append(entry, index, steps: ImageStep.matches, isLast: true)
    }
    addDivided(entry, index)
  }

  // MARK: Rules whose clauses have one term each, and a dimension of its own

  private func isPlain(_ rule: Rule) -> Bool {
    var seen: UInt32 = 0
    for clause in rule.clauses {
      guard clause.terms.count == 1, let dimension = plainDimension(clause.terms[0].test) else {
        return false
      }
      let bit: UInt32 = 1 << UInt32(dimension.rawValue)
      if seen & bit != 0 { return false }
      seen |= bit
    }
    return true
  }

  private func plainDimension(_ test: Test) -> Dimension? {
    switch test {
    case .version, .protocolNumber: .protocolNumber
    case .source(.network4(_, let mask)): mask.prefixLength == nil ? nil : .source
    case .destination(.network4(_, let mask)): mask.prefixLength == nil ? nil : .destination
    case .source(.network6(_, let mask)): mask.bits.prefixLength == nil ? nil : .source
    case .destination(.network6(_, let mask)): mask.bits.prefixLength == nil ? nil : .destination
    case .source(.set4): .source
    case .destination(.set4): .destination
    case .source(.networks4), .source(.networks6), .destination(.networks4), .destination(.networks6): nil
    case .source(.me), .source(.me6), .destination(.me), .destination(.me6): .local
    case .sourcePort: .sourcePort
    case .destinationPort: .destinationPort
    case .direction, .diverted: .pass
    case .received: .receive
    case .transmitted: .transmit
    case .via: .via
    case .icmpTypes: .icmpType
    case .tcpFlags, .established: .tcpFlags
    case .fragment: .fragment
    }
  }

  private mutating func addPlain(_ term: Term) {
    switch term.test {
    case .source(.network4(let address, let mask)):
      add(
        prefixes: .source,
        .init(is128: false, length: mask.prefixLength ?? 32, value: UInt128(address.rawValue)), term)
    case .destination(.network4(let address, let mask)):
      add(
        prefixes: .destination,
        .init(is128: false, length: mask.prefixLength ?? 32, value: UInt128(address.rawValue)), term)
    case .sourcePort(let ranges):
      ports[Int(Dimension.sourcePort.rawValue)].add(positionCount, ranges, negated: term.negated)
    case .destinationPort(let ranges):
      ports[Int(Dimension.destinationPort.rawValue)].add(positionCount, ranges, negated: term.negated)
    case .protocolNumber(let number):
      let key = UInt32(number) << 1 | (term.negated ? 1 : 0)
      values[Int(Dimension.protocolNumber.rawValue)].add(positionCount, key: key) {
        let set = ValueSet(protocolNumber: number)
        return term.negated ? set.complement(of: 512) : set
      }
    case .direction(let direction):
      let key = UInt32(direction.rawValue) << 1 | (term.negated ? 1 : 0)
      values[Int(Dimension.pass.rawValue)].add(positionCount, key: key) {
        let set = ValueSet(direction: direction)
        return term.negated ? set.complement(of: 4) : set
      }
    case .version, .source, .destination, .received, .transmitted, .via, .icmpTypes, .tcpFlags, .established,
      .fragment, .diverted:
      for part in division.parts(of: term.test) ?? [] { add(part, negated: term.negated) }
    }
  }

  private mutating func add(prefixes dimension: Dimension, _ prefix: TestSet.Prefix, _ term: Term) {
    prefixes[Int(dimension.rawValue)].add(positionCount, prefix, negated: term.negated)
  }

  private mutating func add(_ part: TestPart, negated: Bool) {
    _ = add(part.dimension, [[(part.set, negated)]])
  }

  // MARK: All others

  /// What one dimension has to say: each of the clauses must hold, and of each one term.
  private struct Demands {
    // A handful: compared one by one, as hashing costs more.
    private(set) var byDimension: [(dimension: Dimension, clauses: [[(set: TestSet, negated: Bool)]])] = []

    mutating func add(_ dimension: Dimension, _ terms: [(set: TestSet, negated: Bool)]) {
      if let known = byDimension.firstIndex(where: { $0.dimension == dimension }) {
        byDimension[known].clauses.append(terms)
      } else {
        byDimension.append((dimension, [terms]))
      }
    }
  }

  private mutating func addDivided(_ entry: RuleSet.Entry, _ index: Int) {
    var positions = [Demands()]
    var left: [Clause] = []
    for clause in entry.rule.clauses {
      guard let conjunction = divide(clause),
        conjunction.reduce(positions.count, { $0 * $1.count }) <= Self.positionsPerRule
      else {
        left.append(clause)
        continue
      }
      for alternatives in conjunction {
        if alternatives.count == 1, let (dimension, terms) = alternatives.first {
          for index in positions.indices { positions[index].add(dimension, terms) }
          continue
        }
        positions = positions.flatMap { demands in
          alternatives.map { dimension, terms in
            var demands = demands
            demands.add(dimension, terms)
            return demands
          }
        }
      }
    }
    // What a dimension finds too complicated is asked by steps, all of it.
    let isTaken = positions.allSatisfy(isTakenByDimensions)
    let asked = isTaken ? left : entry.rule.clauses
    let first = asked.isEmpty ? ImageStep.matches : steps.add(asked)
    for (number, demands) in positions.enumerated() {
      // Each has a place of its own: their order does not matter.
      for (dimension, clauses) in demands.byDimension { _ = add(dimension, clauses) }
      append(entry, index, steps: first, isLast: number == positions.count - 1)
    }
  }

  private func isTakenByDimensions(_ demands: Demands) -> Bool {
    demands.byDimension.allSatisfy { _, clauses in
      let count = clauses.reduce(0) { sum, clause in
        clause.reduce(sum) { sum, term in
          if case .prefixes(let prefixes) = term.set { sum + prefixes.count } else { sum }
        }
      }
      let isSimple = clauses.count == 1 && (clauses[0].count == 1 || clauses[0].allSatisfy { !$0.negated })
      return isSimple || count <= PrefixClasses.limit
    }
  }

  /// A clause as alternatives by dimension of which one must hold, and this for each of the results. nil: by steps.
  private mutating func divide(_ clause: Clause) -> [[(Dimension, [(set: TestSet, negated: Bool)])]]? {
    if clause.terms.count == 1, let only = clause.terms.first, only.negated {
      guard let parts = division.parts(of: only.test) else { return nil }
      return parts.map { [($0.dimension, [($0.set, true)])] }
    }
    var byDimension: [(Dimension, [(set: TestSet, negated: Bool)])] = []
    for term in clause.terms {
      guard let parts = division.parts(of: term.test), parts.count == 1 || !term.negated else { return nil }
      for part in parts {
        if let index = byDimension.firstIndex(where: { $0.0 == part.dimension }) {
          byDimension[index].1.append((part.set, term.negated))
        } else {
          byDimension.append((part.dimension, [(part.set, term.negated)]))
        }
      }
    }
    return byDimension.isEmpty ? nil : [byDimension]
  }

  /// - Returns: false where that is too much for the dimension.
  private mutating func add(_ dimension: Dimension, _ clauses: [[(set: TestSet, negated: Bool)]]) -> Bool {
    let index = Int(dimension.rawValue)
    if let count = dimension.valueCount {
      var set = ValueSet.all(count)
      for clause in clauses {
        var union = ValueSet.none
        for term in clause {
          guard case .values(let values) = term.set else { continue }
          if dimension == .local { noteLocal(values) }
          union = union.union(term.negated ? values.complement(of: count) : values)
        }
        set = set.intersection(union)
      }
      values[index].add(positionCount, set)
      return true
    }
    if dimension == .sourcePort || dimension == .destinationPort {
      ports[index].add(
        positionCount,
        clauses.map { clause in
          clause.map { term in
            if case .ports(let ranges) = term.set { (ranges, term.negated) } else { ([], term.negated) }
          }
        })
      return true
    }
    return prefixes[index].add(
      positionCount,
      clauses.map { clause in
        clause.map { term in
          if case .prefixes(let prefixes) = term.set { (prefixes, term.negated) } else { ([], term.negated) }
        }
      })
  }

  private mutating func noteLocal(_ values: ValueSet) {
    // Bit 0 alone, and bit 1 alone, in IPv6.
    if values.contains(5) { indexedLookUps.insert(.source) }
    if values.contains(6) { indexedLookUps.insert(.destination) }
  }
}
