package pluginhost.testenv;

import java.util.*;
import java.util.function.*;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.plugins.*;
import org.elasticsearch.rest.*;
import org.elasticsearch.xcontent.XContentBuilder;

/** GET / and HEAD / for the integ-test distribution, which leaves the rest-root module out. Test use only (Elasticsearch 9). */
public class RootPlugin9 extends Plugin implements ActionPlugin {
  @Override public Collection<RestHandler> getRestHandlers(RestHandlersServices services, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> h) {
    return List.of(new BaseRestHandler() {
      @Override public String getName() { return "pluginhost_test_root"; }
      @Override public List<Route> routes() { return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/")); }
      @Override protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
        return channel -> {
          XContentBuilder x = channel.newBuilder();
          x.startObject().field("cluster_name", "pluginhost-test")
              .startObject("version").field("number", Build.current().version()).field("build_flavor", "default").endObject()
              .field("tagline", "You Know, for Search").endObject();
          channel.sendResponse(new RestResponse(RestStatus.OK, x));
        };
      }
    });
  }
}
