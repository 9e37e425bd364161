import Packets

/// Writes steps: a graph of questions, each of which says where to go on with yes and with no.
struct StepWriter {
  var host = HostView()
  private(set) var steps: [ImageStep] = []
  private(set) var localLookUps: ImageLayout.LocalLookUps = []
  private var addresses: [UInt64] = []

  /// - Returns: The first step for clauses that must all hold.
  mutating func add(_ clauses: [Clause]) -> UInt32 {
    var next = ImageStep.matches
    for clause in clauses.reversed() {
      var other = ImageStep.fails
      for term in clause.terms.reversed() {
        other =
          term.negated ? add(term.test, yes: other, no: next) : add(term.test, yes: next, no: other)
      }
      next = other
    }
    return next
  }

  /// Steps first, then the addresses that they compare.
  func write(_ writer: inout ImageWriter) {
    let pool = UInt32(writer.words.count + steps.count * ImageStep.size)
    for step in steps {
      let first = step.operation == .address128 ? step.first + pool : step.first
      writer.append(UInt32(step.operation.rawValue) | UInt32(step.field.rawValue) << 8, 0)
      writer.append(first, step.second)
      writer.append(step.whenTrue, step.whenFalse)
    }
    for word in addresses { writer.append(word) }
  }

  private mutating func step(
    _ operation: ImageStep.Operation, _ field: ImageField, _ first: UInt32, _ second: UInt32 = 0,
    yes: UInt32, no: UInt32
  ) -> UInt32 {
    steps.append(
      ImageStep(
        operation: operation, field: field, first: first, second: second, whenTrue: yes, whenFalse: no))
    return UInt32(steps.count - 1)
  }

  private mutating func equal(_ field: ImageField, _ value: UInt32, yes: UInt32, no: UInt32) -> UInt32 {
    step(.masked, field, .max, value, yes: yes, no: no)
  }

  private mutating func add(_ test: Test, yes: UInt32, no: UInt32) -> UInt32 {
    switch test {
    case .version(let version): return equal(.version, UInt32(version), yes: yes, no: no)
    case .protocolNumber(let number): return equal(.protocolNumber, UInt32(number), yes: yes, no: no)
    case .source(let match): return add(match, .source4, .sourceIsLocal, .source, yes: yes, no: no)
    case .destination(let match):
      return add(match, .destination4, .destinationIsLocal, .destination, yes: yes, no: no)
    case .sourcePort(let ranges): return add(ranges, .sourcePort, yes: yes, no: no)
    case .destinationPort(let ranges): return add(ranges, .destinationPort, yes: yes, no: no)
    case .direction(let direction):
      return step(.masked, .pass, 1, UInt32(direction.rawValue), yes: yes, no: no)
    case .received(let match): return add(match, .receiveInterface, yes: yes, no: no)
    case .transmitted(let match): return add(match, .transmitInterface, yes: yes, no: no)
    case .via(let match): return add(match, .via, yes: yes, no: no)
    case .icmpTypes(let types):
      let next = step(.bit, .icmpType, types, yes: yes, no: no)
      return equal(.version, 4, yes: equal(.transportKind, 2, yes: next, no: no), no: no)
    case .tcpFlags(let match):
      // What must be set and clear at once never is: then the masked value differs.
      let next =
        match.set & match.clear == 0
        ? step(.masked, .tcpFlags, UInt32(match.set | match.clear), UInt32(match.set), yes: yes, no: no) : no
      return tcp(yes: next, no: no)
    case .established: return tcp(yes: step(.masked, .tcpFlags, 0x16, 0x02, yes: no, no: yes), no: no)
    case .fragment(let match):
      let later = match == .laterFragment ? equal(.fragmentOffset, 0, yes: no, no: yes) : no
      let next =
        match.set & match.clear == 0
        ? step(.masked, .fragmentBits, UInt32(match.set | match.clear), UInt32(match.set), yes: yes, no: no)
        : no
      return equal(.version, 4, yes: next, no: later)
    case .diverted(nil): return step(.masked, .pass, 2, 2, yes: yes, no: no)
    case .diverted(let direction?):
      return step(.masked, .pass, 3, 2 | UInt32(direction.rawValue), yes: yes, no: no)
    }
  }

  private mutating func tcp(yes: UInt32, no: UInt32) -> UInt32 {
    equal(.protocolNumber, 6, yes: equal(.transportKind, 1, yes: yes, no: no), no: no)
  }

  private mutating func add(
    _ match: AddressMatch, _ field: ImageField, _ local: ImageField, _ lookUps: ImageLayout.LocalLookUps,
    yes: UInt32, no: UInt32
  ) -> UInt32 {
    switch match {
    case .me:
      localLookUps.insert(lookUps)
      return equal(local, 1, yes: yes, no: no)
    case .me6:
      localLookUps.insert(lookUps)
      return equal(.version, 6, yes: equal(local, 1, yes: yes, no: no), no: no)
    case .network4(let address, let mask):
      return add([Network4(address, mask: mask)], field, yes: yes, no: no)
    case .networks4(let networks): return add(networks, field, yes: yes, no: no)
    case .network6(let address, let mask):
      return add([Network6(address, mask: mask)], field, yes: yes, no: no)
    case .networks6(let networks): return add(networks, field, yes: yes, no: no)
    case .set4(let set):
      var next = no
      for range in set.addresses.reversed() {
        next = step(.range, field, range.lowerBound, range.upperBound, yes: yes, no: next)
      }
      return equal(.version, 4, yes: next, no: no)
    }
  }

  private mutating func add(_ networks: [Network4], _ field: ImageField, yes: UInt32, no: UInt32) -> UInt32 {
    var next = no
    for network in networks.reversed() {
      next = step(.masked, field, network.mask, network.address.rawValue, yes: yes, no: next)
    }
    return equal(.version, 4, yes: next, no: no)
  }

  private mutating func add(_ networks: [Network6], _ field: ImageField, yes: UInt32, no: UInt32) -> UInt32 {
    var next = no
    for network in networks.reversed() {
      next = step(.address128, field, UInt32(addresses.count), yes: yes, no: next)
      addresses += [network.address.high, network.address.low, network.mask.high, network.mask.low]
    }
    return equal(.version, 6, yes: next, no: no)
  }

  private mutating func add(
    _ ranges: [ClosedRange<UInt16>], _ field: ImageField, yes: UInt32, no: UInt32
  ) -> UInt32 {
    var next = no
    for range in ranges.reversed() {
      next = step(.range, field, UInt32(range.lowerBound), UInt32(range.upperBound), yes: yes, no: next)
    }
    return equal(.transportKind, 1, yes: next, no: no)
  }

  private mutating func add(
    _ match: InterfaceMatch, _ field: ImageField, yes: UInt32, no: UInt32
  ) -> UInt32 {
    var next = no
    for index in host.indexes(of: match).reversed() { next = equal(field, index, yes: yes, no: next) }
    return next
  }
}
