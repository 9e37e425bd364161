/// Names of protocols and services, and their numbers.
package struct Names: Sendable {
  package struct Service: Sendable {
    package let name: String
    package let port: UInt16
    /// `tcp`, `udp` …, or `divert`.
    package let protocolName: String
  }

  private var protocolNumbers: [String: UInt8] = [:]
  private var protocolNames: [UInt8: String] = [:]
  private var servicesByName: [String: [Service]] = [:]
  private var servicesByPort: [UInt16: [Service]] = [:]

  /// What every host calls the same; see BuiltInNames.swift.
  package static let builtIn: Names = {
    var names = Names()
    for (name, number, aliases) in builtInProtocols { names.add(protocol: name, number, aliases) }
    for (name, port, protocols, aliases) in builtInServices {
      for protocolName in protocols { names.add(service: name, port, protocolName, aliases) }
    }
    return names
  }()

  /// No names: everything by its number. What is printed so reads back as the same rule, whatever hosts call things; by
  /// name, protocol 41 is `ipv6`, which reads as IPv6.
  package static let none = Names()

  /// The built-in names, which win so that a rule is listed alike everywhere, and this host's files beside.
  package static let system: Names = {
    var names = builtIn
    if let text = try? TextFile.read("/etc/protocols") { names.add(protocolsFile: text) }
    if let text = try? TextFile.read("/etc/services") { names.add(servicesFile: text) }
    return names
  }()

  package func protocolNumber(_ name: some StringProtocol) -> UInt8? { protocolNumbers[String(name)] }
  package func protocolName(_ number: UInt8) -> String? { protocolNames[number] }

  /// The port of a service, as getservbyname(3): of any protocol where none is asked for.
  package func port(ofService name: some StringProtocol, _ protocolName: String?) -> UInt16? {
    servicesByName[String(name)]?.first { protocolName == nil || $0.protocolName == protocolName }?.port
  }

  package func service(onPort port: UInt16, _ protocolName: String?) -> String? {
    servicesByPort[port]?.first { protocolName == nil || $0.protocolName == protocolName }?.name
  }

  /// protocols(5): name, number, aliases.
  package mutating func add(protocolsFile text: String) {
    for fields in Self.lines(of: text) {
      guard fields.count >= 2, let number = UInt8(fields[1]) else { continue }
      add(protocol: String(fields[0]), number, fields[2...].map(String.init))
    }
  }

  /// services(5): name, port/protocol, aliases.
  package mutating func add(servicesFile text: String) {
    for fields in Self.lines(of: text) {
      guard fields.count >= 2 else { continue }
      let place = fields[1].split(separator: "/", maxSplits: 1)
      guard place.count == 2, let port = UInt16(place[0]) else { continue }
      add(service: String(fields[0]), port, String(place[1]), fields[2...].map(String.init))
    }
  }

  /// Number 0 is no protocol here: it would be listed as `ip`, which means any.
  private mutating func add(protocol name: String, _ number: UInt8, _ aliases: [String]) {
    guard number != 0 else { return }
    for word in [name] + aliases where protocolNumbers[word] == nil { protocolNumbers[word] = number }
    if protocolNames[number] == nil { protocolNames[number] = name }
  }

  private mutating func add(
    service name: String, _ port: UInt16, _ protocolName: String, _ aliases: [String]
  ) {
    let service = Service(name: name, port: port, protocolName: protocolName)
    for word in [name] + aliases { servicesByName[word, default: []].append(service) }
    servicesByPort[port, default: []].append(service)
  }

  private static func lines(of text: String) -> [[Substring]] {
    text.split(whereSeparator: \.isNewline).map { line in
      (line.split(separator: "#", omittingEmptySubsequences: false).first ?? "").split { $0.isWhitespace }
    }
  }
}
