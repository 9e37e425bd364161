import Packets

/// What a test asks of one dimension.
enum TestSet {
  case values(ValueSet)
  case ports([ClosedRange<UInt16>])
  case prefixes([Prefix])

  /// Addresses or interfaces that have upper bits in common.
  struct Prefix: Equatable, BitwiseCopyable {
    let is128: Bool
    let length: UInt8
    let value: UInt128
  }
}

/// A test as the index sees it: the union of parts, each in one dimension.
struct TestPart {
  let dimension: Dimension
  let set: TestSet
}

/// The dimensions of masks that are no prefixes, as they are met.
struct MaskDimensions {
  struct Name: Hashable {
    let isDestination: Bool
    let is128: Bool
    let mask: UInt128
  }

  private(set) var names: [Name] = []

  /// nil where there are no more.
  mutating func dimension(for name: Name) -> Dimension? {
    if let known = names.firstIndex(of: name) { return Self.dimension(known) }
    guard names.count < ImageLayoutMasks.count else { return nil }
    names.append(name)
    return Self.dimension(names.count - 1)
  }

  static func dimension(_ index: Int) -> Dimension? {
    Dimension(rawValue: Dimension.mask0.rawValue + UInt8(index))
  }

  private enum ImageLayoutMasks { static let count = Dimension.masks.count }
}

/// Divides tests into their parts.
struct TestDivision {
  let host: HostView
  var masks = MaskDimensions()

  init(host: HostView) { self.host = host }

  /// nil where a mask has no dimension.
  mutating func parts(of test: Test) -> [TestPart]? {
    switch test {
    case .version(let version):
      return [TestPart(dimension: .protocolNumber, set: .values(ValueSet(version: version)))]
    case .protocolNumber(let number):
      return [TestPart(dimension: .protocolNumber, set: .values(ValueSet(protocolNumber: number)))]
    case .source(let match): return parts(of: match, isDestination: false)
    case .destination(let match): return parts(of: match, isDestination: true)
    case .sourcePort(let ranges): return [TestPart(dimension: .sourcePort, set: .ports(ranges))]
    case .destinationPort(let ranges): return [TestPart(dimension: .destinationPort, set: .ports(ranges))]
    case .direction(let direction):
      return [TestPart(dimension: .pass, set: .values(ValueSet(direction: direction)))]
    case .received(let match): return [TestPart(dimension: .receive, set: interfaces(match))]
    case .transmitted(let match): return [TestPart(dimension: .transmit, set: interfaces(match))]
    case .via(let match): return [TestPart(dimension: .via, set: interfaces(match))]
    case .icmpTypes(let types):
      return [TestPart(dimension: .icmpType, set: .values(ValueSet(icmpTypes: types)))]
    case .tcpFlags(let match):
      return [TestPart(dimension: .tcpFlags, set: .values(ValueSet(tcpFlags: match)))]
    case .established: return [TestPart(dimension: .tcpFlags, set: .values(.established))]
    case .fragment(let match):
      return [TestPart(dimension: .fragment, set: .values(ValueSet(fragment: match)))]
    case .diverted(let direction):
      return [TestPart(dimension: .pass, set: .values(ValueSet(diverted: direction)))]
    }
  }

  private mutating func parts(of match: AddressMatch, isDestination: Bool) -> [TestPart]? {
    let dimension: Dimension = isDestination ? .destination : .source
    switch match {
    case .me, .me6:
      let set = ValueSet(local: isDestination ? 2 : 1, only6: match == .me6)
      return [TestPart(dimension: .local, set: .values(set))]
    case .network4(let address, let mask):
      return parts(of: [Network4(address, mask: mask)], dimension, isDestination)
    case .networks4(let networks): return parts(of: networks, dimension, isDestination)
    case .network6(let address, let mask):
      return parts(of: [Network6(address, mask: mask)], dimension, isDestination)
    case .networks6(let networks): return parts(of: networks, dimension, isDestination)
    case .set4(let set):
      return [TestPart(dimension: dimension, set: .prefixes(set.addresses.flatMap { $0.prefixes }))]
    }
  }

  private mutating func parts(
    of networks: [Network4], _ dimension: Dimension, _ isDestination: Bool
  ) -> [TestPart]? {
    var prefixes: [TestSet.Prefix] = []
    var parts: [TestPart] = []
    for network in networks {
      let value = UInt128(network.address.rawValue)
      if let length = network.mask.prefixLength {
        prefixes.append(.init(is128: false, length: length, value: value))
      } else {
        let name = MaskDimensions.Name(
          isDestination: isDestination, is128: false, mask: UInt128(network.mask))
        guard let other = masks.dimension(for: name) else { return nil }
        parts.append(
          TestPart(dimension: other, set: .prefixes([.init(is128: false, length: 32, value: value)])))
      }
    }
    if !prefixes.isEmpty || parts.isEmpty {
      parts.append(TestPart(dimension: dimension, set: .prefixes(prefixes)))
    }
    return parts
  }

  private mutating func parts(
    of networks: [Network6], _ dimension: Dimension, _ isDestination: Bool
  ) -> [TestPart]? {
    var prefixes: [TestSet.Prefix] = []
    var parts: [TestPart] = []
    for network in networks {
      let (value, mask) = (network.address.bits, network.mask.bits)
      if let length = mask.prefixLength {
        prefixes.append(.init(is128: true, length: length, value: value))
      } else {
        let name = MaskDimensions.Name(isDestination: isDestination, is128: true, mask: mask)
        guard let other = masks.dimension(for: name) else { return nil }
        parts.append(
          TestPart(dimension: other, set: .prefixes([.init(is128: true, length: 128, value: value)])))
      }
    }
    if !prefixes.isEmpty || parts.isEmpty {
      parts.append(TestPart(dimension: dimension, set: .prefixes(prefixes)))
    }
    return parts
  }

  private func interfaces(_ match: InterfaceMatch) -> TestSet {
    .prefixes(
      host.indexes(of: match).map { .init(is128: false, length: 32, value: UInt128($0)) })
  }
}

extension HostView {
  /// Index 0 names no interface, so it is in no set.
  func indexes(of match: InterfaceMatch) -> [UInt32] {
    interfaces.filter { $0.index != 0 && match.matches($0) }.map(\.index)
  }
}

extension IPv6Address {
  var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }
}

extension FixedWidthInteger where Self: UnsignedInteger {
  /// How many upper bits are set, if no others are.
  var prefixLength: UInt8? {
    let length = (~self).leadingZeroBitCount
    return length == Self.bitWidth || self << length == 0 ? UInt8(length) : nil
  }

  /// The upper bits.
  static func mask(_ length: UInt8) -> Self {
    length == 0 ? 0 : .max << (Self.bitWidth - Int(length))
  }
}

extension ClosedRange<UInt32> {
  /// As few prefixes as hold these addresses and no others.
  var prefixes: [TestSet.Prefix] {
    var prefixes: [TestSet.Prefix] = []
    var low = UInt64(lowerBound)
    while low <= UInt64(upperBound) {
      var bits: UInt8 = 0
      while bits < 32, low & 1 << UInt64(bits) == 0, low + 2 << UInt64(bits) - 1 <= UInt64(upperBound) {
        bits += 1
      }
      prefixes.append(.init(is128: false, length: 32 - bits, value: UInt128(low)))
      low += 1 << UInt64(bits)
    }
    return prefixes
  }
}
