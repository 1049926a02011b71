// The console of the gateway. In a file of its own: the page allows no script within it.
SwaggerUIBundle({
  dom_id: "#console",
  url: "/docs/openapi.yaml",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null, // else it asks another machine
});
