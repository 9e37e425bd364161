import Divert
import Glibc
import Testing

struct KernelInterfacesTests {
  let interfaces = KernelInterfaces()

  /// Every namespace has it, though it may be down and then has no address.
  @Test func `the loopback interface`() throws {
    let index = try #require(interfaces.index(ofName: "lo"))
    #expect(interfaces.name(ofIndex: index) == "lo")
    #expect(interfaces.name(ofIndex: index) == "lo", "from the cache")
    if let address = interfaces.firstAddress(ofIndex: index) {
      #expect(address.description == "127.0.0.1")
      #expect(interfaces.index(owning: address) == index)
    }
    if let address = interfaces.firstAddress6(ofIndex: index) {
      #expect(address.description == "::1")
      #expect(interfaces.index(owning: address) == index)
    }
  }

  @Test func `what is not there`() {
    #expect(interfaces.index(ofName: "no-such-interface") == nil)
    #expect(interfaces.name(ofIndex: 0) == nil && interfaces.name(ofIndex: .max) == nil)
    #expect(interfaces.firstAddress(ofIndex: .max) == nil)
    #expect(interfaces.firstAddress6(ofIndex: .max) == nil)
    #expect(interfaces.index(owning: .init(rawValue: 0xcb00_7101)) == nil)
    #expect(interfaces.index(owning: .init(high: 0x2001_0db8_0000_0000, low: 1)) == nil)
  }

  @Test func `names in addresses`() {
    for name in ["", "lo", "eth0", "enp0s31f", "enp0s31f6", "fifteen-letters"] {
      #expect(InterfaceName(name).description == name)
    }
    #expect(InterfaceName("eth0") == "eth0" && InterfaceName("eth0") != "eth1")
    let tooLong = InterfaceName("fifteen-letters-and-more")
    #expect(tooLong != "fifteen-letters" && interfaces.index(ofName: tooLong.description) == nil)
  }
}
